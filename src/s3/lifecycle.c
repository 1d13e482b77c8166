/*
 * lifecycle.c - bucket lifecycle configurations. Their bodies have not landed yet: NotImplemented until then.
 */
#include "s3/handlers.h"

err_v s3_get_bucket_lifecycle(struct s3_req *rq) { return err_s3(S3_NotImplemented); }
err_v s3_put_bucket_lifecycle(struct s3_req *rq) { return err_s3(S3_NotImplemented); }
err_v s3_delete_bucket_lifecycle(struct s3_req *rq) { return err_s3(S3_NotImplemented); }
