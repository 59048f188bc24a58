/* curl_library: libcurl, which is opened when a source that lists and watches begins.
 *
 * No other source makes requests, and libcurl brings fifteen libraries more: if the program were linked to it,
 * they would add an eighth to the memory of every sidecar. */
#ifndef SIDECAR_CURL_LIBRARY_H
#define SIDECAR_CURL_LIBRARY_H

#include "lib/base/error.h"

#include <curl/curl.h>

/* The functions that are used, each without its prefix curl_. */
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

/* Opens the library, which then stays open until the process ends. ERROR_OPERATOR: it is not installed, or
 * lacks a function. */
enum error_code curl_library_open(struct curl_library *curl, struct error *err) MUST_CHECK;

#endif
