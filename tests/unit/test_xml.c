/* XML in and out. */
#include "test.h"

#include "base/mem.h"
#include "http/xml_in.h"
#include "http/xml_out.h"

#define NS "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

TEST(xml_tree)
{
	struct arena *a = arena_new(4096, 1 << 20);
	struct xml_node *root, *object;

	EXPECT_OK(xml_parse(STR("<?xml version=\"1.0\"?>\n<s3:Delete " NS " xmlns:s3=\"x\"> <Quiet>true</Quiet>\n"
	    "<Object><Key> a&amp;b&#x20AC;<!-- c --><![CDATA[<>]]> </Key></Object><Object><Key/></Object>"
	    "<Grantee xmlns:xsi=\"y\" xsi:type=\"Group\"/></s3:Delete>"), a, &root));
	EXPECT_STR("root", root->name, STR("Delete"));
	EXPECT_EQ("children", root->children, 4);
	EXPECT_STR("quiet", xml_child_text(root, "Quiet"), STR("true"));
	object = xml_child(root, "Object");
	REQUIRE(object != NULL);
	EXPECT_STR("key", xml_child_text(object, "Key"), STR(" a&b\xE2\x82\xAC<> "));
	object = xml_next(object);
	REQUIRE(object != NULL);
	EXPECT(xml_child(object, "Key") != NULL);
	EXPECT_STR("empty", xml_child_text(object, "Key"), STR(""));
	EXPECT(xml_next(object) == NULL);
	EXPECT_STR("type", xml_child(root, "Grantee")->attr_type, STR("Group"));
	EXPECT(xml_child(NULL, "x") == NULL && xml_child_text(NULL, "x").p == NULL);
	EXPECT_STR("text of an inner element", root->text, STR(""));
	arena_free(&a);
}

TEST(xml_refused)
{
	static const char *const cases[] = {
		"", " ", "<a>", "<a></b>", "<a/><b/>", "text", "<a>&nbsp;</a>", "<a>\x01</a>", "<a>\xff</a>", "<a b=1/>", "<a><x:/></a>",
		"<!DOCTYPE a [<!ENTITY x \"yyyyyyyyyy\">]><a>&x;</a>", "<!DOCTYPE a><a/>",
		"<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "<a xmlns:x='1' xmlns:x='2'/>",
		"<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a>",
	};
	struct arena *a = arena_new(4096, 1 << 20);

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct xml_node *root = NULL;

		EXPECT_ERR(cases[i], xml_parse(str_c(cases[i]), a, &root), S3_MalformedXML);
		EXPECT(root == NULL);
	}
	arena_free(&a);
}

TEST(xml_limits)
{
	struct arena *a = arena_new(4096, 64 << 20), *small = arena_new(4096, 8192);
	struct xml_node *root;
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_add_c(&b, "<a>");
	for (int i = 0; i < XML_NODES_MAX - 1; i++)
		buf_add_c(&b, "<b/>");
	buf_add_c(&b, "</a>");
	EXPECT_OK(xml_parse(buf_str(&b), a, &root));
	EXPECT_EQ("children", root->children, XML_NODES_MAX - 1);
	EXPECT_ERR("small arena", xml_parse(buf_str(&b), small, &root), S3_MalformedXML);
	b.len -= 4;
	buf_add_c(&b, "<b/></a>");
	EXPECT_ERR("one more", xml_parse(buf_str(&b), a, &root), S3_MalformedXML);
	EXPECT(strstr(err_context(), "elements") != NULL);
	buf_done(&b);
	arena_free(&a);
	arena_free(&small);
}

TEST(xml_escape)
{
	static const struct { str in; const char *out; } cases[] = {
		{ STR(""), "" }, { STR("plain"), "plain" }, { STR("<&>\"'"), "&lt;&amp;&gt;&quot;&apos;" },
		{ STR("a\r\n\tb"), "a&#13;\n\tb" }, { STR("a\0b"), "a\xEF\xBF\xBD" "b" },
		{ STR("\xE2\x82\xAC"), "\xE2\x82\xAC" }, { STR("\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD" },
		{ STR("\xFFz"), "\xEF\xBF\xBDz" }, { STR("\xEF\xBF\xBE"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" },
		{ STR("\xF0\x9F\x98\x80"), "\xF0\x9F\x98\x80" }, { STR("\x1F\x7F"), "\xEF\xBF\xBD\x7F" },
	};
	struct buf b;

	buf_init(&b, 4096);
	for (size_t i = 0; i < COUNT(cases); i++) {
		buf_clear(&b);
		xml_escape(&b, cases[i].in);
		EXPECT_STR(cases[i].out, buf_str(&b), str_c(cases[i].out));
	}
	buf_done(&b);
}

TEST(xml_document)
{
	struct arena *a = arena_new(4096, 1 << 20);
	struct xml_node *root;
	struct buf b;

	buf_init(&b, 4096);
	xml_begin(&b, "R", true);
	xml_open(&b, "O");
	xml_text(&b, "K", STR("<x>"));
	xml_u64(&b, "N", 18446744073709551615u);
	xml_bool(&b, "T", true);
	xml_bool(&b, "F", false);
	xml_close(&b, "O");
	xml_close(&b, "R");
	EXPECT_STR("text", buf_str(&b), STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R " NS "><O><K>&lt;x&gt;</K>"
	    "<N>18446744073709551615</N><T>true</T><F>false</F></O></R>"));
	EXPECT_OK(xml_parse(buf_str(&b), a, &root));
	EXPECT_STR("back", xml_child_text(xml_child(root, "O"), "K"), STR("<x>"));
	buf_done(&b);
	arena_free(&a);
}
