/* Echoes lines, each with its number on the connection. The line "move NAME" moves the connection to that server.
 *
 *   cc echo.c -I host/include -L target/debug -lipos_c -lpthread -o echo && ./echo ADDRESS
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipos.h"

enum { LINE = 4096 };

static void *serve(void *argument)
{
    ipos_stream *stream = argument;
    uint64_t count = 0;
    size_t length;
    const uint8_t *state = ipos_state(stream, &length);
    if (length == sizeof count)
        memcpy(&count, state, sizeof count);

    uint8_t line[LINE + 1];
    size_t have = 0;
    while (stream) {
        uint8_t *end = memchr(line, '\n', have);
        if (!end) {
            int64_t n = have < LINE ? ipos_read(stream, line + have, LINE - have) : -1;
            if (n <= 0)
                break;
            have += (size_t)n;
            continue;
        }
        *end = 0;
        size_t used = (size_t)(end + 1 - line);
        char answer[LINE + 300];
        if (!strncmp((char *)line, "move ", 5)) {
            /* what has been read beyond the order goes along */
            ipos_unread(stream, end + 1, have - used);
            have = 0;
            if (ipos_migrate(&stream, (char *)line + 5, (uint8_t *)&count, sizeof count) == 0)
                return NULL;
            snprintf(answer, sizeof answer, "%s\n", ipos_error());
        } else {
            snprintf(answer, sizeof answer, "%llu %s\n", (unsigned long long)++count, (char *)line);
            have -= used;
            memmove(line, end + 1, have);
        }
        if (stream && ipos_write(stream, (uint8_t *)answer, strlen(answer)) != 0)
            break;
    }
    ipos_close(stream);
    return NULL;
}

int main(int argc, char **argv)
{
    ipos_listener *listener = argc == 2 ? ipos_listen(NULL, argv[1]) : NULL;
    if (!listener) {
        fprintf(stderr, "%s: %s\n", argv[0], argc == 2 ? ipos_error() : "the address to listen on is missing");
        return EXIT_FAILURE;
    }
    for (;;) {
        ipos_stream *stream = ipos_accept(listener);
        pthread_t thread;
        if (!stream)
            fprintf(stderr, "%s\n", ipos_error());
        else if (pthread_create(&thread, NULL, serve, stream) == 0)
            pthread_detach(thread);
        else
            ipos_close(stream);
    }
}
