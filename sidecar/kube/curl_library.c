/* curl_library: opening libcurl by its name (see curl_library.h). */
#include "sidecar/kube/curl_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* libcurl has had this interface since 2006. */
#define LIBRARY "libcurl.so.4"

static bool find_all(void *library, struct curl_library *curl)
{
    void *found = NULL;
#define FIND(name)                                                                                 \
    found = dlsym(library, "curl_" #name);                                                         \
    if (found == NULL)                                                                             \
        return false;                                                                              \
    memcpy(&curl->name, &found, sizeof(found));
    CURL_FUNCTIONS(FIND)
#undef FIND
    return true;
}

enum error_code curl_library_open(struct curl_library *curl, struct error *err)
{
    /* What it has started cannot be stopped safely, so it is never closed. */
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    enum error_code code = ERROR_NONE;
    if (library == NULL || !find_all(library, curl))
        code = error_set(err, ERROR_OPERATOR,
                         "%s: install libcurl, which listing and watching needs", dlerror());
    if (library != NULL)
        (void)dlclose(library);
    return code;
}
