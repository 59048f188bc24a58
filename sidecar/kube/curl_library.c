/* curl_library: opening libcurl by its name (see curl_library.h). */
#include "sidecar/kube/curl_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

/* libcurl has had this interface since 2006. */
#define LIBRARY "libcurl.so.4"

static bool find(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    memcpy(function, &found, sizeof(found));
    return found != NULL;
}

static bool find_all(void *library, struct curl_library *curl)
{
    bool found = true;
#define FIND(name) found = found && find(library, "curl_" #name, &curl->name);
    CURL_FUNCTIONS(FIND)
#undef FIND
    return found;
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
