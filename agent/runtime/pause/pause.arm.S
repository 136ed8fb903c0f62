@ The sandbox's only process on 32-bit ARM (EABI): see README.md.
        .arch   armv6
        .arm
        .globl  _start
_start:
        mov     r0, #17                 @ SIGCHLD, SIG_IGN: the kernel reaps what is orphaned to PID 1
        adr     r1, ignore
        bl      action
        mov     r0, #15
        adr     r1, leave
        bl      action
        mov     r0, #2
        adr     r1, leave
        bl      action
sleep:  mov     r7, #29                 @ pause
        svc     #0
        b       sleep
action: mov     r2, #0
        mov     r3, #8
        mov     r7, #174                @ rt_sigaction
        svc     #0
        bx      lr
done:   mov     r0, #0
        mov     r7, #248                @ exit_group
        svc     #0
        .balign 8
ignore: .word   1, 0, 0, 0, 0
leave:  .word   done, 0, 0, 0, 0
