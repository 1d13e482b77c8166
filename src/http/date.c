/*
 * date.c - times as text, without locale and without time zones of libc.
 *
 * Days are counted with the proleptic Gregorian calendar; years 1970 to 9999.
 */
#include "http/date.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/panic.h"

#define DAY_S 86400u

static const char day_name[7][10] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
};
static const char month_name[12][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};

struct civil {
	unsigned year, month, day;	/* month 1 to 12, day 1 to 31 */
	unsigned hour, minute, second;
};

static bool
is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned
month_days(unsigned year, unsigned month)
{
	static const unsigned days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 1970-01-01 to the first of January of year. */
static uint64_t
year_start(unsigned year)
{
	uint64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

/* The fields are checked: false if there is no such time. */
static bool
civil_to_unix(const struct civil *c, uint64_t *ret_s)
{
	uint64_t days;

	if (c->year < 1970 || c->year > 9999 || c->month < 1 || c->month > 12 || c->day < 1 ||
	    c->day > month_days(c->year, c->month) || c->hour > 23 || c->minute > 59 || c->second > 60)
		return false;		/* second 60 is a leap second */
	days = year_start(c->year) + c->day - 1;
	for (unsigned m = 1; m < c->month; m++)
		days += month_days(c->year, m);
	*ret_s = days * DAY_S + c->hour * 3600u + c->minute * 60u + c->second;
	return true;
}

static struct civil
civil_from_unix(uint64_t s)
{
	struct civil c = { 0 };
	uint64_t days = s / DAY_S, rest;
	unsigned left = (unsigned)(s % DAY_S);

	c.hour = left / 3600;
	c.minute = left / 60 % 60;
	c.second = left % 60;
	c.year = 1970 + (unsigned)(days / 366);	/* at most a little early */
	while (year_start(c.year + 1) <= days)
		c.year++;
	rest = days - year_start(c.year);
	for (c.month = 1; rest >= month_days(c.year, c.month); c.month++)
		rest -= month_days(c.year, c.month);
	c.day = (unsigned)rest + 1;
	return c;
}

/* Times beyond the year 9999 are shown as its last second. */
static uint64_t
clip(uint64_t unix_s)
{
	static const uint64_t last = 253402300799;

	return unix_s < last ? unix_s : last;
}

/* The last digits of n, then a separator; where the next field begins. */
static char *
put_field(char *to, unsigned n, size_t digits, char behind)
{
	for (size_t i = digits; i > 0; i--, n /= 10)
		to[i - 1] = (char)('0' + n % 10);
	to[digits] = behind;
	return to + digits + 1;
}

static char *
put_name(char *to, const char *name)
{
	memcpy(to, name, 3);
	return to + 3;
}

void
date_http_text(uint64_t unix_ms, char *ret)
{
	uint64_t s = clip(unix_ms / 1000);
	struct civil c = civil_from_unix(s);
	char *to = put_name(ret, day_name[(s / DAY_S + 4) % 7]);

	*to++ = ',';
	*to++ = ' ';
	to = put_field(to, c.day, 2, ' ');
	to = put_name(to, month_name[c.month - 1]);
	*to++ = ' ';
	to = put_field(to, c.year, 4, ' ');
	to = put_field(to, c.hour, 2, ':');
	to = put_field(to, c.minute, 2, ':');
	to = put_field(to, c.second, 2, ' ');
	to = put_name(to, "GMT");
	assert(to == ret + DATE_HTTP_LEN);
}

str
date_http(struct arena *a, uint64_t unix_ms)
{
	char text[DATE_HTTP_LEN];

	date_http_text(unix_ms, text);
	return arena_str(a, str_n(text, sizeof(text)));
}

void
date_iso_text(uint64_t unix_ms, char *ret)
{
	struct civil c = civil_from_unix(clip(unix_ms / 1000));
	char *to = ret;

	to = put_field(to, c.year, 4, '-');
	to = put_field(to, c.month, 2, '-');
	to = put_field(to, c.day, 2, 'T');
	to = put_field(to, c.hour, 2, ':');
	to = put_field(to, c.minute, 2, ':');
	to = put_field(to, c.second, 2, '.');
	to = put_field(to, (unsigned)(unix_ms % 1000), 3, 'Z');
	assert(to == ret + DATE_ISO_LEN);
}

str
date_iso(struct arena *a, uint64_t unix_ms)
{
	char *p = arena_alloc(a, DATE_ISO_LEN + 1);

	date_iso_text(unix_ms, p);
	return str_n(p, DATE_ISO_LEN);
}

str
date_amz(struct arena *a, uint64_t unix_s)
{
	struct civil c = civil_from_unix(clip(unix_s));

	return arena_fmt(a, "%04u%02u%02uT%02u%02u%02uZ", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

/* Cursors: each takes from the front of *s, or leaves it and says false. */

static bool
take(str *s, str what)
{
	if (!str_starts(*s, what))
		return false;
	*s = str_skip(*s, what.len);
	return true;
}

static bool
take_digits(str *s, size_t n, unsigned *ret)
{
	uint64_t value;

	if (s->len < n || !str_u64(str_sub(*s, 0, n), &value))
		return false;
	*s = str_skip(*s, n);
	*ret = (unsigned)value;
	return true;
}

static bool
take_month(str *s, unsigned *ret)
{
	for (unsigned m = 0; m < 12; m++)
		if (take(s, str_c(month_name[m]))) {
			*ret = m + 1;
			return true;
		}
	return false;
}

static bool
take_clock(str *s, struct civil *c)
{
	return take_digits(s, 2, &c->hour) && take(s, STR(":")) && take_digits(s, 2, &c->minute) &&
	    take(s, STR(":")) && take_digits(s, 2, &c->second);
}

/* "Sunday" or "Sun": the name is not checked against the date. */
static bool
take_day_name(str *s, bool *ret_long)
{
	for (unsigned d = 0; d < 7; d++) {
		*ret_long = take(s, str_c(day_name[d]));
		if (*ret_long || take(s, str_n(day_name[d], 3)))
			return true;
	}
	return false;
}

/* RFC 850 has two digits: a year that seems more than 50 years ahead lies in the past. */
static unsigned
full_year(unsigned yy)
{
	unsigned now = civil_from_unix(clock_wall_ms() / 1000).year, year = now - now % 100 + yy;

	return year > now + 50 ? year - 100 : year;
}

bool
date_http_parse(str s, uint64_t *ret_unix_s)
{
	struct civil c = { 0 };
	bool is_long, ok;

	s = str_trim(s);
	if (!take_day_name(&s, &is_long))
		return false;
	if (is_long) {			/* "Sunday, 06-Nov-94 08:49:37 GMT" */
		ok = take(&s, STR(", ")) && take_digits(&s, 2, &c.day) && take(&s, STR("-")) &&
		    take_month(&s, &c.month) && take(&s, STR("-")) && take_digits(&s, 2, &c.year) &&
		    take(&s, STR(" ")) && take_clock(&s, &c) && take(&s, STR(" GMT"));
		c.year = full_year(c.year);
	} else if (take(&s, STR(", "))) {	/* "Sun, 06 Nov 1994 08:49:37 GMT" */
		ok = take_digits(&s, 2, &c.day) && take(&s, STR(" ")) && take_month(&s, &c.month) &&
		    take(&s, STR(" ")) && take_digits(&s, 4, &c.year) && take(&s, STR(" ")) &&
		    take_clock(&s, &c) && take(&s, STR(" GMT"));
	} else {			/* "Sun Nov  6 08:49:37 1994" */
		ok = take(&s, STR(" ")) && take_month(&s, &c.month) && take(&s, STR(" ")) &&
		    (take(&s, STR(" ")) ? take_digits(&s, 1, &c.day) : take_digits(&s, 2, &c.day)) &&
		    take(&s, STR(" ")) && take_clock(&s, &c) && take(&s, STR(" ")) && take_digits(&s, 4, &c.year);
	}
	return ok && s.len == 0 && civil_to_unix(&c, ret_unix_s);
}

/* ".5", ".000000001": milliseconds, the rest is cut off. */
static bool
take_fraction(str *s, unsigned *ret_ms)
{
	unsigned digit, n = 0, ms = 0;

	*ret_ms = 0;
	if (!take(s, STR(".")))
		return true;
	for (; take_digits(s, 1, &digit); n++)
		if (n < 3)
			ms = ms * 10 + digit;
	for (unsigned i = n; i < 3; i++)
		ms *= 10;
	*ret_ms = ms;
	return n > 0 && n <= 9;
}

/* "Z", "+02:00", "-0130": seconds to subtract. */
static bool
take_zone(str *s, int64_t *ret_s)
{
	unsigned hours, minutes;
	bool east = str_starts(*s, STR("+"));

	*ret_s = 0;
	if (take(s, STR("Z")))
		return true;
	if (!take(s, STR("+")) && !take(s, STR("-")))
		return false;
	if (!take_digits(s, 2, &hours))
		return false;
	(void)take(s, STR(":"));
	if (!take_digits(s, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_s = (int64_t)(hours * 3600 + minutes * 60) * (east ? 1 : -1);
	return true;
}

bool
date_iso_parse(str s, uint64_t *ret_unix_ms)
{
	struct civil c = { 0 };
	uint64_t unix_s;
	int64_t zone_s = 0;
	unsigned ms = 0;

	if (!take_digits(&s, 4, &c.year) || !take(&s, STR("-")) || !take_digits(&s, 2, &c.month) ||
	    !take(&s, STR("-")) || !take_digits(&s, 2, &c.day))
		return false;
	if (s.len > 0 && (!take(&s, STR("T")) || !take_clock(&s, &c) || !take_fraction(&s, &ms) ||
	    !take_zone(&s, &zone_s) || s.len > 0))
		return false;
	if (!civil_to_unix(&c, &unix_s) || (zone_s > 0 && (uint64_t)zone_s > unix_s))
		return false;
	*ret_unix_ms = (unix_s - (uint64_t)zone_s) * 1000 + ms;
	return true;
}

bool
date_amz_parse(str s, uint64_t *ret_unix_s)
{
	struct civil c = { 0 };

	return take_digits(&s, 4, &c.year) && take_digits(&s, 2, &c.month) && take_digits(&s, 2, &c.day) &&
	    take(&s, STR("T")) && take_digits(&s, 2, &c.hour) && take_digits(&s, 2, &c.minute) &&
	    take_digits(&s, 2, &c.second) && take(&s, STR("Z")) && s.len == 0 && civil_to_unix(&c, ret_unix_s);
}
