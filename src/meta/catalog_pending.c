/*
 * catalog_pending.c - calls whose bodies have not landed yet answer NotImplemented. Whoever lands one deletes its line here; the file goes
 * away with the last.
 */
#include "meta/catalog.h"

struct s3_req;

#define PENDING() { return err_s3(S3_NotImplemented); }

err_v catalog_copy(struct catalog *a0, const struct bucket *from, const struct object *src, const struct bucket *to,
    struct object *o, const struct conditions *a5, struct arena *a6, struct version_id *ret_version) PENDING()
err_v catalog_tags(struct catalog *a0, const struct bucket *a1, str key, const struct which *a3, struct pairs tags,
    struct arena *a5, struct version_id *ret_version) PENDING()
err_v catalog_rename(struct catalog *a0, const struct bucket *a1, const struct rename *a2, struct arena *a3) PENDING()
err_v catalog_upload_create(struct catalog *a0, const struct bucket *a1, struct upload *u, struct arena *a3) PENDING()
err_v catalog_upload(struct catalog *a0, const struct bucket *a1, str key, struct id upload, struct arena *a4,
    struct upload *ret) PENDING()
err_v catalog_part_put(struct catalog *a0, const struct bucket *a1, const struct upload *a2, struct part *a3,
    struct arena *a4) PENDING()
err_v catalog_part_copy(struct catalog *a0, const struct bucket *from, const struct object *src, uint64_t off,
    uint64_t len, const struct bucket *to, const struct upload *a6, struct part *p, struct arena *a8) PENDING()
err_v catalog_parts(struct catalog *a0, const struct bucket *a1, struct id upload, uint32_t after, unsigned max,
    struct arena *a5, struct part **ret, unsigned *ret_n, bool *ret_more) PENDING()
err_v catalog_upload_complete(struct catalog *a0, const struct bucket *a1, str key, struct id upload,
    const struct part_choice *a4, unsigned n, const struct conditions *a6, complete_f *finish, void *arg,
    struct arena *a9, struct object *ret, struct version_id *ret_version) PENDING()
err_v catalog_upload_abort(struct catalog *a0, const struct bucket *a1, str key, struct id upload, struct arena *a4) PENDING()
err_v catalog_pieces(struct catalog *a0, const struct object *o, uint64_t off, uint64_t len, struct arena *a4,
    struct piece **ret, unsigned *ret_n) PENDING()
err_v object_part_range(const struct object *o, uint32_t number, uint64_t *ret_off, uint64_t *ret_len) PENDING()

err_v s3_get_bucket_lifecycle(struct s3_req *rq);
err_v s3_put_bucket_lifecycle(struct s3_req *rq);
err_v s3_delete_bucket_lifecycle(struct s3_req *rq);
err_v s3_get_bucket_lifecycle(struct s3_req *rq) PENDING()
err_v s3_put_bucket_lifecycle(struct s3_req *rq) PENDING()
err_v s3_delete_bucket_lifecycle(struct s3_req *rq) PENDING()
