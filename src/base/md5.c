/*
 * md5.c - MD5 of one stream, and of eight at once.
 *
 * MD5 (RFC 1321) is one long chain: a core spends most of the time waiting for the step before. Eight streams side by side in the lanes
 * of a vector wait together, and come out five times as fast. AVX-512 has what a step needs, any function of three words and a
 * rotation, in one instruction each: there even a stream alone is a fifth faster than in general registers, and eight are eight times
 * as fast. What is left goes through OpenSSL, whose registers the lanes read and write, so a stream may change between the two at
 * any block.
 */
#include "base/md5.h"

#include "base/mem.h"
#include "base/panic.h"

#define BLOCK 64u

typedef void lanes_f(uint32_t state[4][MD5_LANES], const uint8_t *const p[MD5_LANES], size_t blocks);

static lanes_f *lanes_best;		/* NULL: this processor has none */
static lanes_f *alone_best;		/* the first lane only; NULL: OpenSSL is faster */

#if defined(__x86_64__)
typedef uint32_t lanes __attribute__((vector_size(4 * MD5_LANES)));

static const uint32_t sines[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
	0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
	0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
	0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
	0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
	0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
	0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
	0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

/* f: of b, c and d. It comes last, so it is added last: the compiler, which knows no chain, is kept from adding a to it. */
#define STEP(f, a, b, c, d, word, sine, by)                                     \
	do {                                                                    \
		(a) += (word) + (sine);                                         \
		__asm__("" : "+x"(a));                                          \
		(a) += (f);                                                     \
		(a) = (b) + ((a) << (by) | (a) >> (32 - (by)));                 \
	} while (0)
#define F(b, c, d) ((d) ^ ((b) & ((c) ^ (d))))
#define G(b, c, d) ((c) ^ ((d) & ((b) ^ (c))))
#define H(b, c, d) ((b) ^ (c) ^ (d))
#define I(b, c, d) ((c) ^ ((b) | ~(d)))
/* Sixteen steps: word i of a step is first + i * stride. */
#define ROUND(f, round, first, stride, s1, s2, s3, s4)                                                           \
	for (unsigned i = 0; i < 16; i += 4) {                                                                   \
		const uint32_t *k = &sines[16 * (round) + i];                                                    \
		STEP(f(b, c, d), a, b, c, d, w[((first) + (stride) * i) % 16], k[0], s1);                        \
		STEP(f(a, b, c), d, a, b, c, w[((first) + (stride) * (i + 1)) % 16], k[1], s2);                  \
		STEP(f(d, a, b), c, d, a, b, w[((first) + (stride) * (i + 2)) % 16], k[2], s3);                  \
		STEP(f(c, d, a), b, c, d, a, w[((first) + (stride) * (i + 3)) % 16], k[3], s4);                  \
	}

/* The first n lanes. Each use of it is compiled for a processor, and for a number of lanes. */
__attribute__((target("avx2"), always_inline)) static inline void
lanes_run(uint32_t state[4][MD5_LANES], const uint8_t *const p[MD5_LANES], size_t blocks, const unsigned n)
{
	lanes a, b, c, d, w[16];

	memcpy(&a, state[0], sizeof(a));
	memcpy(&b, state[1], sizeof(b));
	memcpy(&c, state[2], sizeof(c));
	memcpy(&d, state[3], sizeof(d));
	for (size_t at = 0; at < blocks * BLOCK; at += BLOCK) {
		lanes a0 = a, b0 = b, c0 = c, d0 = d;

		for (unsigned j = 0; j < 16; j++) {
			uint32_t word;

			memcpy(&word, p[0] + at + 4 * (size_t)j, sizeof(word));
			w[j] = (lanes){ 0 } + word;
			for (unsigned i = 1; i < n; i++) {
				memcpy(&word, p[i] + at + 4 * (size_t)j, sizeof(word));
				w[j][i] = word;
			}
		}
		ROUND(F, 0, 0, 1, 7, 12, 17, 22);
		ROUND(G, 1, 1, 5, 5, 9, 14, 20);
		ROUND(H, 2, 5, 3, 4, 11, 16, 23);
		ROUND(I, 3, 0, 7, 6, 10, 15, 21);
		a += a0;
		b += b0;
		c += c0;
		d += d0;
	}
	memcpy(state[0], &a, sizeof(a));
	memcpy(state[1], &b, sizeof(b));
	memcpy(state[2], &c, sizeof(c));
	memcpy(state[3], &d, sizeof(d));
}

__attribute__((target("avx2"))) static void
lanes_avx2(uint32_t state[4][MD5_LANES], const uint8_t *const p[MD5_LANES], size_t blocks)
{
	lanes_run(state, p, blocks, MD5_LANES);
}

__attribute__((target("avx2,avx512vl"))) static void
lanes_avx512(uint32_t state[4][MD5_LANES], const uint8_t *const p[MD5_LANES], size_t blocks)
{
	lanes_run(state, p, blocks, MD5_LANES);
}

__attribute__((target("avx2,avx512vl"))) static void
alone_avx512(uint32_t state[4][MD5_LANES], const uint8_t *const p[MD5_LANES], size_t blocks)
{
	lanes_run(state, p, blocks, 1);
}
#endif

bool
md5_way(enum md5_way way)
{
	lanes_f *together = NULL, *alone = NULL;

#if defined(__x86_64__)
	__builtin_cpu_init();
	if (way == MD5_AVX2 && __builtin_cpu_supports("avx2")) {
		together = lanes_avx2;
	} else if (way == MD5_AVX512 && __builtin_cpu_supports("avx512vl")) {
		together = lanes_avx512;
		alone = alone_avx512;
	}
#endif
	if (way != MD5_PLAIN && together == NULL)
		return false;
	lanes_best = together;
	alone_best = alone;
	return true;
}

__attribute__((constructor)) static void
md5_start(void)
{
	for (int way = MD5_PLAIN; way <= MD5_AVX512; way++)
		(void)md5_way((enum md5_way)way);
}

void
md5_init(MD5_CTX *m)
{
	if (MD5_Init(m) != 1)
		PANIC("MD5_Init");
}

void
md5_end(MD5_CTX *m, uint8_t ret[16])
{
	if (MD5_Final(ret, m) != 1)
		PANIC("MD5_Final");
}

bool
md5_has_lanes(void)
{
	return lanes_best != NULL;
}

/* So many bytes have gone by. OpenSSL counts bits, in two halves. */
static void
count(MD5_CTX *m, uint64_t n)
{
	uint64_t bits = ((uint64_t)m->Nh << 32 | m->Nl) + 8 * n;

	m->Nl = (uint32_t)bits;
	m->Nh = (uint32_t)(bits >> 32);
}

/* Lanes without a stream hash what the first one hashes. */
static void
together(lanes_f *run, MD5_CTX *const m[], const str bytes[], unsigned n, size_t blocks)
{
	uint32_t state[4][MD5_LANES];
	const uint8_t *p[MD5_LANES];

	for (unsigned i = 0; i < MD5_LANES; i++) {
		const MD5_CTX *from = m[i < n ? i : 0];

		state[0][i] = from->A;
		state[1][i] = from->B;
		state[2][i] = from->C;
		state[3][i] = from->D;
		p[i] = (const uint8_t *)bytes[i < n ? i : 0].p;
	}
	run(state, p, blocks);
	for (unsigned i = 0; i < n; i++) {
		m[i]->A = state[0][i];
		m[i]->B = state[1][i];
		m[i]->C = state[2][i];
		m[i]->D = state[3][i];
		count(m[i], blocks * BLOCK);
	}
}

static str
update(MD5_CTX *m, str bytes, size_t n)
{
	str now = str_sub(bytes, 0, n);

	if (now.len > 0 && MD5_Update(m, now.p, now.len) != 1)
		PANIC("MD5_Update");
	return str_skip(bytes, now.len);
}

void
md5_add_many(MD5_CTX *const m[], const str bytes[], unsigned n)
{
	lanes_f *run = n > 1 ? lanes_best : alone_best;
	str left[MD5_LANES];
	size_t blocks = SIZE_MAX;

	assert(n <= MD5_LANES);
	for (unsigned i = 0; i < n; i++) {
		left[i] = update(m[i], bytes[i], (BLOCK - m[i]->num) % BLOCK);		/* to where a block begins */
		if (left[i].len / BLOCK < blocks)
			blocks = left[i].len / BLOCK;
	}
	if (n == 0 || run == NULL)
		blocks = 0;
	if (blocks > 0)
		together(run, m, left, n, blocks);
	for (unsigned i = 0; i < n; i++)
		update(m[i], str_skip(left[i], blocks * BLOCK), SIZE_MAX);
}

void
md5_add(MD5_CTX *m, str bytes)
{
	md5_add_many(&m, &bytes, 1);
}
