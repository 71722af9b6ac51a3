/* As arguments.c, for events, signals and processes. */
#define _GNU_SOURCE
#include <unipc.h>

#include "arguments.h"

#include <limits.h>

static void initialisers(void) {
#define SAME(type, initial)                                        \
  do {                                                             \
    type with_macro = initial, with_function;                      \
    memset(&with_function, 0xff, sizeof with_function);            \
    type##_init(&with_function);                                   \
    CHECK_EQUAL(with_macro.struct_size, sizeof(type));             \
    CHECK_EQUAL(with_function.struct_size, sizeof(type));          \
    type##_init(NULL);                                             \
  } while (0)
  SAME(unipc_eventfd_options, UNIPC_EVENTFD_OPTIONS_INIT); /* unipc_eventfd_options_init */
  SAME(unipc_timer_options, UNIPC_TIMER_OPTIONS_INIT); /* unipc_timer_options_init */
  SAME(unipc_signals_options, UNIPC_SIGNALS_OPTIONS_INIT); /* unipc_signals_options_init */
  SAME(unipc_signal_info, UNIPC_SIGNAL_INFO_INIT); /* unipc_signal_info_init */
  SAME(unipc_signal_description, UNIPC_SIGNAL_DESCRIPTION_INIT); /* unipc_signal_description_init */
  SAME(unipc_exit_status, UNIPC_EXIT_STATUS_INIT); /* unipc_exit_status_init */
  SAME(unipc_command, UNIPC_COMMAND_INIT); /* unipc_command_init */
}

static void counters(void) {
  unipc_eventfd *counter;
  uint64_t value;
  SIZES(unipc_eventfd_options, UNIPC_EVENTFD_OPTIONS_INIT, unipc_eventfd_create(o, &counter), 0, unipc_eventfd_close(counter));
  INVALID(unipc_eventfd_create(NULL, NULL));
  unipc_eventfd_options bad = UNIPC_EVENTFD_OPTIONS_INIT;
  bad.semaphore = 2;
  REFUSED(counter, unipc_eventfd_create(&bad, &counter));
  REFUSED_AS(-EBADF, counter, unipc_eventfd_from_fd(-1, &counter));
  REFUSED_AS(-EBADF, counter, unipc_eventfd_from_fd(INT_MAX, &counter));
  REFUSED_AS(UNIPC_WRONG_KIND, counter, unipc_eventfd_from_fd(0, &counter));
  INVALID(unipc_eventfd_add(NULL, 1, 0));
  INVALID(unipc_eventfd_take(NULL, 0, &value));
  INVALID(unipc_eventfd_value(NULL, &value));
  INVALID(unipc_eventfd_fd(NULL));
  INVALID(unipc_eventfd_into_fd(NULL));
  unipc_eventfd_close(NULL);
  CHECK_EQUAL(unipc_eventfd_create(NULL, &counter), 0);
  INVALID(unipc_eventfd_value(counter, NULL));
  INVALID(unipc_eventfd_add(counter, UINT64_MAX, 0));
  CHECK_EQUAL(unipc_eventfd_take(counter, INT64_MIN, NULL), -EAGAIN);
  CHECK_EQUAL(unipc_eventfd_add(counter, UINT64_MAX - 1, INT64_MIN), 0);
  CHECK_EQUAL(unipc_eventfd_add(counter, 1, UNIPC_MILLISECOND), -ETIMEDOUT);
  CHECK_EQUAL(unipc_eventfd_value(counter, &value), 0);
  CHECK(value == UINT64_MAX - 1);
  CHECK_EQUAL(unipc_eventfd_take(counter, UNIPC_FOREVER, NULL), 0);
  int fd = unipc_eventfd_into_fd(counter);
  uint64_t five = 5;
  CHECK_EQUAL(write(fd, &five, sizeof five), 8);
  CHECK_EQUAL(unipc_eventfd_from_fd(fd, &counter), 0);
  CHECK_EQUAL(unipc_eventfd_fd(counter), fd);
  CHECK_EQUAL(unipc_eventfd_take(counter, 0, &value), 0);
  CHECK_EQUAL(value, 5);
  unipc_eventfd_close(counter);
}

static void timers(void) {
  unipc_timer *timer;
  int64_t remaining, interval;
  uint64_t count;
  SIZES(unipc_timer_options, UNIPC_TIMER_OPTIONS_INIT, unipc_timer_create(o, &timer), 0, unipc_timer_close(timer));
  INVALID(unipc_timer_create(NULL, NULL));
  unipc_timer_options bad = UNIPC_TIMER_OPTIONS_INIT;
  bad.clock = 2;
  REFUSED(timer, unipc_timer_create(&bad, &timer));
  REFUSED_AS(-EBADF, timer, unipc_timer_from_fd(-1, &timer));
  REFUSED_AS(UNIPC_WRONG_KIND, timer, unipc_timer_from_fd(0, &timer));
  INVALID(unipc_timer_set(NULL, 0, 0));
  INVALID(unipc_timer_set_at(NULL, 0, 0));
  INVALID(unipc_timer_cancel(NULL));
  INVALID(unipc_timer_wait(NULL, 0, &count));
  INVALID(unipc_timer_state(NULL, &remaining, &interval));
  INVALID(unipc_timer_now(NULL));
  INVALID(unipc_timer_fd(NULL));
  INVALID(unipc_timer_into_fd(NULL));
  unipc_timer_close(NULL);
  for (uint32_t clock = UNIPC_CLOCK_MONOTONIC; clock <= UNIPC_CLOCK_BOOTTIME; clock++) {
    unipc_timer_options options = UNIPC_TIMER_OPTIONS_INIT;
    options.clock = clock;
    CHECK_EQUAL(unipc_timer_create(&options, &timer), 0);
    CHECK_EQUAL(unipc_timer_wait(timer, 0, NULL), -EAGAIN);
    CHECK_EQUAL(unipc_timer_set(timer, INT64_MIN, INT64_MIN), 0);
    CHECK_EQUAL(unipc_timer_wait(timer, UNIPC_SECOND, NULL), 0);
    CHECK_EQUAL(unipc_timer_set(timer, INT64_MAX, INT64_MAX), 0);
    CHECK_EQUAL(unipc_timer_state(timer, NULL, NULL), 0);
    CHECK_EQUAL(unipc_timer_state(timer, &remaining, &interval), 0);
    CHECK(remaining > INT64_MAX / 2 && interval == INT64_MAX);
    CHECK_EQUAL(unipc_timer_set_at(timer, unipc_timer_now(timer) + 5 * UNIPC_MILLISECOND, UNIPC_MILLISECOND), 0);
    CHECK_EQUAL(unipc_timer_wait(timer, UNIPC_FOREVER, &count), 0);
    CHECK_AT_LEAST(count, 1);
    CHECK_EQUAL(unipc_timer_cancel(timer), 0);
    CHECK_EQUAL(unipc_timer_wait(timer, UNIPC_MILLISECOND, &count), -ETIMEDOUT);
    CHECK_EQUAL(unipc_timer_from_fd(unipc_timer_into_fd(timer), &timer), 0);
    CHECK_AT_LEAST(unipc_timer_fd(timer), 3);
    unipc_timer_close(timer);
  }
}

static void signals(void) {
  unipc_signals *signals;
  unipc_signal_block *block;
  unipc_signal_info info = UNIPC_SIGNAL_INFO_INIT;
  unipc_signal_description description = UNIPC_SIGNAL_DESCRIPTION_INIT;
  int hup = SIGHUP, wrong[] = {0, -1, 32, 65, INT_MAX, INT_MIN, SIGKILL, SIGSTOP, SIGSEGV};
  SIZES(unipc_signals_options, UNIPC_SIGNALS_OPTIONS_INIT, unipc_signals_open(&hup, 1, o, &signals), 0, unipc_signals_close(signals));
  unipc_signals_options options = UNIPC_SIGNALS_OPTIONS_INIT;
  options.block = 2;
  REFUSED(signals, unipc_signals_open(&hup, 1, &options, &signals));
  REFUSED(block, unipc_signal_block_create(NULL, 1, &block));
  REFUSED(block, unipc_signal_block_create(&hup, 0, &block));
  INVALID(unipc_signal_block_create(&hup, 1, NULL));
  unipc_signal_block_close(NULL);
  INVALID(unipc_signal_take(NULL, 1, 0, &info));
  INVALID(unipc_signal_take(&hup, 0, 0, &info));
  HUGE_SIZES(size) INVALID(unipc_signal_take(&hup, size, 0, &info));
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    REFUSED(signals, unipc_signals_open(&wrong[i], 1, NULL, &signals));
    REFUSED(block, unipc_signal_block_create(&wrong[i], 1, &block));
    INVALID(unipc_signal_take(&wrong[i], 1, 0, NULL));
    if (wrong[i] >= SIGHUP && wrong[i] < SIGCHLD) continue;
    if (wrong[i] == SIGSTOP) continue;
    INVALID(unipc_signal_describe(wrong[i], &description));
    if (wrong[i] != 0) INVALID(unipc_signal_send(getpid(), wrong[i]));
  }
  for (options.block = 0; options.block < 2; options.block++) {
    REFUSED(signals, unipc_signals_open(NULL, 1, &options, &signals));
    REFUSED(signals, unipc_signals_open(&hup, 0, &options, &signals));
    HUGE_SIZES(size) REFUSED(signals, unipc_signals_open(&hup, size, &options, &signals));
    INVALID(unipc_signals_open(&hup, 1, &options, NULL));
    CHECK_EQUAL(unipc_signals_open(&hup, 1, &options, &signals), 0);
    CHECK_AT_LEAST(unipc_signals_fd(signals), 3);
    CHECK_EQUAL(unipc_signals_receive(signals, INT64_MIN, &info), -EAGAIN);
    CHECK_EQUAL(unipc_signals_receive(signals, UNIPC_MILLISECOND, NULL), -ETIMEDOUT);
    CHECK_EQUAL(unipc_signal_queue(getpid(), SIGHUP, INT_MIN), 0);
    CHECK_EQUAL(unipc_signals_receive(signals, UNIPC_FOREVER, &info), SIGHUP);
    CHECK(info.signal == SIGHUP && info.has_value == 1 && info.value == INT_MIN && info.lost == 0);
    CHECK(info.has_sender == 1 && info.sender_pid == getpid() && info.sender_uid == getuid() && info.code == SI_QUEUE);
    CHECK_EQUAL(unipc_signal_send_thread(getpid(), getpid(), SIGHUP), 0);
    CHECK_EQUAL(unipc_signals_receive(signals, UNIPC_SECOND, NULL), SIGHUP);
    CHECK_EQUAL(unipc_signal_queue_thread(getpid(), getpid(), SIGHUP, 3), 0);
    info.struct_size = 1;
    INVALID(unipc_signals_receive(signals, UNIPC_SECOND, &info));
    info.struct_size = sizeof info; /* and the signal is still there */
    CHECK_EQUAL(unipc_signals_receive(signals, 0, &info), SIGHUP);
    unipc_signals_close(signals);
  }
  INVALID(unipc_signals_receive(NULL, 0, &info));
  INVALID(unipc_signals_fd(NULL));
  unipc_signals_close(NULL);

  CHECK_EQUAL(unipc_signal_block_create(&hup, 1, &block), 0);
  CHECK_EQUAL(unipc_signal_send(getpid(), SIGHUP), 0);
  CHECK_EQUAL(unipc_signal_take(&hup, 1, UNIPC_FOREVER, &info), SIGHUP);
  CHECK(info.has_value == 0 && info.code == SI_USER);
  CHECK_EQUAL(unipc_signal_take(&hup, 1, UNIPC_MILLISECOND, NULL), -ETIMEDOUT);
  unipc_signal_block_close(block);

  CHECK_EQUAL(unipc_signal_send(getpid(), 0), 0);
  INVALID(unipc_signal_send(0, SIGCONT));
  INVALID(unipc_signal_send(-1, SIGCONT));
  INVALID(unipc_signal_send_group(1, SIGCONT));
  INVALID(unipc_signal_send_group(INT_MIN, SIGCONT));
  CHECK_EQUAL(unipc_signal_send_group(INT_MAX, SIGCONT), -ESRCH);
  INVALID(unipc_signal_send_thread(0, 1, SIGCONT));
  INVALID(unipc_signal_send_pidfd(-1, SIGCONT));
  CHECK_EQUAL(unipc_signal_send_pidfd(0, SIGCONT), -EBADF);
  CHECK_EQUAL(unipc_signal_queue_pidfd(0, SIGCONT, 0), -EBADF);
  INVALID(unipc_signal_queue(0, SIGCONT, 0));
  INVALID(unipc_signal_queue_thread(1, 0, SIGCONT, 0));

  INVALID(unipc_signal_describe(SIGHUP, NULL));
  CHECK_EQUAL(unipc_signal_describe(SIGTERM, &description), 0);
  CHECK(strcmp(description.name, "SIGTERM") == 0 && strcmp(description.default_action, "terminate") == 0);
  CHECK(description.number == SIGTERM && description.description[0] != '\0' && description.usage[0] != '\0');
  CHECK_EQUAL(unipc_signal_number("sigrtmin+1"), SIGRTMIN + 1);
  INVALID(unipc_signal_number(NULL));
  INVALID(unipc_signal_number("SIGNOTHING"));
}

static void processes(void) {
  unipc_process *process;
  unipc_pipeline *pipeline;
  unipc_exit_status status = UNIPC_EXIT_STATUS_INIT;
  const char *const true_arguments[] = {"true", NULL}, *const nothing[] = {NULL}, *const sleeps[] = {"sleep", "100", NULL};
  REFUSED(process, unipc_process_open(0, &process));
  REFUSED(process, unipc_process_open(-1, &process));
  REFUSED_AS(-ESRCH, process, unipc_process_open(INT_MAX, &process));
  INVALID(unipc_process_open(getpid(), NULL));
  REFUSED_AS(-EBADF, process, unipc_process_from_fd(-1, &process));
  REFUSED_AS(UNIPC_WRONG_KIND, process, unipc_process_from_fd(0, &process));
  INVALID(unipc_process_pid(NULL));
  INVALID(unipc_process_wait(NULL, 0, &status));
  INVALID(unipc_process_send_signal(NULL, SIGCONT));
  INVALID(unipc_process_fd(NULL));
  INVALID(unipc_process_into_fd(NULL));
  unipc_process_close(NULL);
  unipc_command command = UNIPC_COMMAND_INIT;
  REFUSED(process, unipc_process_spawn(NULL, &process));
  REFUSED(process, unipc_process_spawn(&command, &process));
  command.arguments = nothing;
  REFUSED(process, unipc_process_spawn(&command, &process));
  command.arguments = true_arguments;
  INVALID(unipc_process_spawn(&command, NULL));
  command.fd_count = 1;
  REFUSED(process, unipc_process_spawn(&command, &process));
  unipc_child_fd fd = {5, -2};
  command.fds = &fd;
  REFUSED(process, unipc_process_spawn(&command, &process));
  fd.child = -1, fd.fd = 0;
  REFUSED(process, unipc_process_spawn(&command, &process));
  fd.child = 5, fd.fd = INT_MAX;
  REFUSED_AS(-EBADF, process, unipc_process_spawn(&command, &process));
  HUGE_SIZES(size) {
    command.fd_count = size;
    REFUSED(process, unipc_process_spawn(&command, &process));
  }
  command.fd_count = 0, command.new_group = 2;
  REFUSED(process, unipc_process_spawn(&command, &process));
  command.new_group = 1, command.program = "/no/such/program";
  REFUSED_AS(-ENOENT, process, unipc_process_spawn(&command, &process));
  command.program = NULL, command.environment = nothing;
  CHECK_EQUAL(unipc_process_spawn(&command, &process), 0);
  CHECK_AT_LEAST(unipc_process_pid(process), 2);
  CHECK_EQUAL(unipc_process_wait(process, UNIPC_FOREVER, &status), 0);
  CHECK(status.kind == UNIPC_EXIT_CODE && status.value == 0 && status.shell_status == 0);
  CHECK_EQUAL(unipc_process_wait(process, 0, NULL), 0);
  CHECK_EQUAL(unipc_process_send_signal(process, SIGTERM), -ESRCH);
  unipc_process_close(process);

  command.arguments = sleeps, command.environment = NULL;
  CHECK_EQUAL(unipc_process_spawn(&command, &process), 0);
  CHECK_EQUAL(unipc_process_wait(process, INT64_MIN, &status), -EAGAIN);
  INVALID(unipc_process_send_signal(process, INT_MAX));
  CHECK_EQUAL(unipc_process_send_signal(process, SIGKILL), 0);
  int raw = unipc_process_into_fd(process);
  CHECK_AT_LEAST(raw, 3);
  CHECK_EQUAL(unipc_process_from_fd(raw, &process), 0);
  CHECK_EQUAL(unipc_process_fd(process), raw);
  CHECK_EQUAL(unipc_process_wait(process, UNIPC_FOREVER, &status), 0);
  CHECK(status.kind == UNIPC_EXIT_SIGNAL && status.value == SIGKILL && status.shell_status == 137 && status.dumped_core == 0);
  unipc_process_close(process);
  CHECK_EQUAL(unipc_process_open(getppid(), &process), 0);
  CHECK_EQUAL(unipc_process_wait(process, 0, &status), -EAGAIN);
  unipc_process_close(process);
  SIZES(unipc_command, UNIPC_COMMAND_INIT, (o->arguments = true_arguments, unipc_process_spawn(o, &process)), 0,
        (unipc_process_wait(process, UNIPC_FOREVER, NULL), unipc_process_close(process)));

  int statuses[3] = {-7, -7, -7};
  const unipc_command *stages[] = {&command, NULL};
  REFUSED(pipeline, unipc_pipeline_spawn(NULL, 1, &pipeline));
  REFUSED(pipeline, unipc_pipeline_spawn(stages, 0, &pipeline));
  REFUSED(pipeline, unipc_pipeline_spawn(stages, 2, &pipeline));
  HUGE_SIZES(size) REFUSED(pipeline, unipc_pipeline_spawn(stages, size, &pipeline));
  INVALID(unipc_pipeline_spawn(stages, 1, NULL));
  INVALID(unipc_pipeline_wait(NULL, 0, NULL, 0));
  INVALID(unipc_pipeline_send_signal(NULL, SIGCONT));
  unipc_pipeline_close(NULL);
  stages[1] = &command;
  CHECK_EQUAL(unipc_pipeline_spawn(stages, 2, &pipeline), 0);
  INVALID(unipc_pipeline_wait(pipeline, 0, NULL, 1));
  CHECK_EQUAL(unipc_pipeline_wait(pipeline, UNIPC_MILLISECOND, statuses, 3), -ETIMEDOUT);
  CHECK_EQUAL(unipc_pipeline_send_signal(pipeline, SIGTERM), 0);
  CHECK_EQUAL(unipc_pipeline_wait(pipeline, UNIPC_FOREVER, statuses, 1), 2);
  CHECK(statuses[0] == 128 + SIGTERM && statuses[1] == -7);
  CHECK_EQUAL(unipc_pipeline_wait(pipeline, 0, statuses, 3), 2);
  CHECK(statuses[1] == 128 + SIGTERM && statuses[2] == -7);
  unipc_pipeline_close(pipeline);
}

int main(void) {
  house before = house_now();
  initialisers();
  counters();
  timers();
  signals();
  processes();
  struct sigaction action;
  CHECK(sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
  sigset_t mask;
  CHECK(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && !sigismember(&mask, SIGHUP));
  house_check(before);
  return 0;
}
