/**
 * The third face of the container runtime port: somebody at a container's terminal, at a new program's (exec) or at its own
 * (attach). Types only.
 */
import type { EngineId } from './runtime.js';

/** Which of the three are connected; with a TTY all output comes on stdout. */
export interface AttachOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface ExecAttachOptions extends AttachOptions {
  readonly command: readonly string[];
  readonly tty: boolean;
}

export interface AttachedOutput {
  readonly channel: 'stdout' | 'stderr';
  readonly bytes: Buffer;
}

export interface Attachment {
  /** Ends with the program. Whoever reads slowly holds the program up: nothing is gathered here. Read it once. */
  readonly output: AsyncIterable<AttachedOutput>;
  /** Resolves when the engine took it, or when the connection is over. */
  write(bytes: Buffer): Promise<void>;
  /** End of stdin; output still comes. Twice is safe. */
  endInput(): void;
  /** Of the TTY; without one nothing happens. */
  resize(size: { readonly width: number; readonly height: number }): Promise<void>;
  /** Of an exec, after the end of its output; null where there is none to tell. */
  exitCode(): Promise<number | null>;
  /** Lets go: the program runs on without its terminal, as with `docker exec`; an idle shell ends. Twice is safe. */
  close(): void;
}

export interface ContainerAttach {
  /**
   * Throws `NotFound` for a container that is gone or does not run, `RunContainerError` for a program that cannot be
   * started, with the engine's words; `EngineUnavailable`.
   */
  openExec(id: EngineId, options: ExecAttachOptions): Promise<Attachment>;
  /** The same for the container's own program. */
  openAttach(id: EngineId, options: AttachOptions): Promise<Attachment>;
}
