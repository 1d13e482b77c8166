/*
 * params_each.h - expand tbl/params.h with the PARAM_ macros just defined, and undefine them. Included many times, on purpose.
 */
#include "tbl/params.h"
#undef PARAM_TEXT
#undef PARAM_LISTEN
#undef PARAM_CHOICE
#undef PARAM_FLAG
#undef PARAM_NUMBER
#undef PARAM_LIST
