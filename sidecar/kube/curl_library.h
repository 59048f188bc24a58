/* curl_library: libcurl, opened by the first that needs it.
 *
 * Only a source that lists and watches makes requests, and libcurl brings fifteen libraries more: linked
 * to the program, they would take an eighth of what any other sidecar takes in memory. */
#ifndef SIDECAR_CURL_LIBRARY_H
#define SIDECAR_CURL_LIBRARY_H

#include "lib/base/error.h"

#include <curl/curl.h>

/* What is used of it, without the curl_ before each. */
#define CURL_FUNCTIONS(FUNCTION)                                                                   \
    FUNCTION(easy_cleanup)                                                                         \
    FUNCTION(easy_getinfo)                                                                         \
    FUNCTION(easy_init)                                                                            \
    FUNCTION(easy_pause)                                                                           \
    FUNCTION(easy_setopt)                                                                          \
    FUNCTION(easy_strerror)                                                                        \
    FUNCTION(global_cleanup)                                                                       \
    FUNCTION(global_init)                                                                          \
    FUNCTION(multi_add_handle)                                                                     \
    FUNCTION(multi_assign)                                                                         \
    FUNCTION(multi_cleanup)                                                                        \
    FUNCTION(multi_info_read)                                                                      \
    FUNCTION(multi_init)                                                                           \
    FUNCTION(multi_remove_handle)                                                                  \
    FUNCTION(multi_setopt)                                                                         \
    FUNCTION(multi_socket_action)                                                                  \
    FUNCTION(multi_strerror)                                                                       \
    FUNCTION(slist_append)                                                                         \
    FUNCTION(slist_free_all)

struct curl_library {
/* It is the name of a member: NOLINTNEXTLINE(bugprone-macro-parentheses) */
#define CURL_MEMBER(name) __typeof__(curl_##name) *name;
    CURL_FUNCTIONS(CURL_MEMBER)
#undef CURL_MEMBER
};

/* ERROR_OPERATOR: it is not installed, or is not the one that is needed. It stays open until the process
 * ends. */
enum error_code curl_library_open(struct curl_library *curl, struct error *err) MUST_CHECK;

#endif
