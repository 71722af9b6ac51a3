/* A program that uses the library from a stream to memory to a lock, and ends with 0 if all of it works. */
#define _GNU_SOURCE
#include <unipc.h>

#include "check.h"

#include <stdio.h>
#include <string.h>

int main(void) {
  house before = house_now();
  unipc_stream *reader, *writer;
  int r = unipc_pipe_create(NULL, &reader, &writer);
  if (r < 0) return unipc_error_print("pipe", r);
  char text[16] = "";
  r = unipc_stream_write_all(writer, "installed", 10, UNIPC_SECOND, NULL);
  if (r == 0) r = unipc_stream_read_exact(reader, text, 10, UNIPC_SECOND, NULL);
  if (r < 0) return unipc_error_print("through the pipe", r);
  unipc_stream_close(reader);
  unipc_stream_close(writer);

  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  options.size = sizeof(unipc_mutex);
  unipc_memory *memory;
  r = unipc_memory_create_anonymous(&options, &memory);
  if (r < 0) return unipc_error_print("memory", r);
  unipc_mutex *lock = (unipc_mutex *)unipc_memory_address(memory);
  r = unipc_mutex_lock(lock, UNIPC_FOREVER);
  if (r == 0) r = unipc_mutex_unlock(lock);
  if (r < 0) return unipc_error_print("lock", r);
  unipc_memory_close(memory);
  house_check(before);
  printf("%s %s\n", text, unipc_version());
  return strcmp(text, "installed") != 0;
}
