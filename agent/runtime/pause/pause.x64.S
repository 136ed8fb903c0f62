# The sandbox's only process on x86-64: see README.md.
        .intel_syntax noprefix
        .globl _start
_start:
        # rt_sigaction(SIGCHLD, {SIG_IGN}): the kernel reaps what is orphaned to PID 1.
        mov     edi, 17
        lea     rsi, ignore[rip]
        call    action
        mov     edi, 15
        lea     rsi, leave[rip]
        call    action
        mov     edi, 2
        lea     rsi, leave[rip]
        call    action
sleep:  mov     eax, 34                 # pause
        syscall
        jmp     sleep
action: xor     edx, edx
        mov     r10d, 8
        mov     eax, 13                 # rt_sigaction
        syscall
        ret
done:   xor     edi, edi
        mov     eax, 231                # exit_group
        syscall
        .balign 8
ignore: .quad   1, 0, 0, 0
leave:  .quad   done, 0x04000000, done, 0   # SA_RESTORER: x86-64 delivers nothing without it
