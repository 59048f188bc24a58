/* process: how much of the machine's resources this process uses. */
#ifndef SIDECAR_PROCESS_H
#define SIDECAR_PROCESS_H

/* A figure is NAN if the system does not tell it. */
struct process_usage {
    double cpu_seconds;
    double resident_bytes;
    double open_fds;
    double max_fds;
};

struct process_usage process_usage(void);

#endif
