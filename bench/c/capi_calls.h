/* What is done and undone, or done on one side and seen on the other, by the C ABI; a part of capi.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>

static unipc_memory *region;
static unsigned char *copied;
static _Atomic uint32_t *words;
static unipc_timer *timer;
static unipc_stream *ends_of_pipe[2], *pair[2];
static int blocks, nowhere;
static unipc_process *child;
static unipc_eventfd *watched[2];
static unipc_poller *watcher;

static unipc_memory *shared_pages(size_t size) {
  unipc_memory_options options = UNIPC_MEMORY_OPTIONS_INIT;
  unipc_memory *memory;
  options.size = size;
  need("memory", unipc_memory_create_anonymous(&options, &memory));
  return memory;
}

static void prepare_memory(void) {
  region = shared_pages(operand_size);
  copied = calloc(1, operand_size);
  if (!copied) fail("memory", "none");
}

static void copy_in(int which) {
  (void)which;
  need("write", unipc_memory_write(region, 0, copied, operand_size));
}

static void copy_out(int which) {
  (void)which;
  need("read", unipc_memory_read(region, 0, copied, operand_size));
}

static void prepare_timer(void) {
  need("timer", unipc_timer_create(NULL, &timer));
}

static void set_timer(int which) {
  (void)which;
  need("set", unipc_timer_set(timer, 1000000000, 0));
}

static void cancel_timer(int which) {
  (void)which;
  need("cancel", unipc_timer_cancel(timer));
}

static void open_nowhere(void) {
  nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0) fail("/dev/null", "cannot be opened");
}

static void prepare_transfer(void) {
  need("ignore SIGPIPE", unipc_ignore_sigpipe());
  blocks = open("blocks", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (blocks < 0 || ftruncate(blocks, (off_t)operand_size) != 0) fail("blocks", "cannot be made");
  need("pipe", unipc_pipe_create(NULL, &ends_of_pipe[0], &ends_of_pipe[1]));
  open_nowhere();
}

static void transfer_in(int which) {
  unipc_transfer_options options = UNIPC_TRANSFER_OPTIONS_INIT;
  (void)which;
  options.length = operand_size;
  options.use_source_offset = 1;
  need("transfer", unipc_transfer(blocks, unipc_stream_fd(ends_of_pipe[1]), &options, UNIPC_FOREVER, NULL));
}

static void transfer_out(int which) {
  unipc_transfer_options options = UNIPC_TRANSFER_OPTIONS_INIT;
  (void)which;
  options.length = operand_size;
  need("transfer", unipc_transfer(unipc_stream_fd(ends_of_pipe[0]), nowhere, &options, UNIPC_FOREVER, NULL));
}

static void prepare_spawn(void) {}

static void start_child(int which) {
  const char *const arguments[] = {"true", NULL};
  unipc_command command = UNIPC_COMMAND_INIT;
  (void)which;
  command.program = "/bin/true";
  command.arguments = arguments;
  need("spawn", unipc_process_spawn(&command, &child));
}

static void await_child(int which) {
  unipc_exit_status status = UNIPC_EXIT_STATUS_INIT;
  (void)which;
  need("wait", unipc_process_wait(child, UNIPC_FOREVER, &status));
  if (status.shell_status != 0) fail("child", "it failed");
  unipc_process_close(child);
}

static void prepare_passing(void) {
  need("pair", unipc_stream_pair_unix(&pair[0], &pair[1]));
  open_nowhere();
}

static void pass(int which) {
  (void)which;
  need("send", unipc_stream_send_fds(pair[0], "x", 1, &nowhere, 1, UNIPC_FOREVER, NULL));
}

static void take_passed(int which) {
  char byte;
  int passed;
  size_t count;
  (void)which;
  need("receive", (int)unipc_stream_receive_fds(pair[1], &byte, 1, &passed, 1, &count, UNIPC_FOREVER));
  if (count != 1) fail("receive", "no descriptor");
  close(passed);
}

static void prepare_poller(void) {
  for (int i = THERE; i <= BACK; i++) need("eventfd", unipc_eventfd_create(NULL, &watched[i]));
}

static void add_to_watched(int which) {
  need("add", unipc_eventfd_add(watched[which], 1, UNIPC_FOREVER));
}

/* Each process watches the counter that it takes from. */
static void take_when_told(int which) {
  unipc_poller_event told[8];
  if (!watcher) {
    need("poller", unipc_poller_create(&watcher));
    need("add", unipc_poller_add(watcher, unipc_eventfd_fd(watched[which]), UNIPC_POLLER_READABLE, 7, NULL));
  }
  if (need("wait", unipc_poller_wait(watcher, told, 8, UNIPC_FOREVER)) != 1 || told[0].token != 7) fail("wait", "another source");
  need("take", unipc_eventfd_take(watched[which], UNIPC_FOREVER, NULL));
}

static void prepare_futex(void) {
  words = unipc_memory_address(shared_pages(2 * sizeof *words));
}

static void set_and_wake(int which) {
  atomic_store(&words[which], 1);
  need("wake", unipc_futex_wake((const void *)&words[which], 1));
}

static void sleep_until_set(int which) {
  while (atomic_load(&words[which]) == 0) {
    int r = unipc_futex_wait((const void *)&words[which], 0, UNIPC_FOREVER);
    if (r != -EAGAIN) need("wait", r);
  }
  atomic_store(&words[which], 0);
}
