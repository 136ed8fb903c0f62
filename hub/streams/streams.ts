/**
 * The port between the API and the nodes' streams: logs, exec, attach and port-forward of one pod, whatever carries them.
 * The API turns WebSocket and SPDY into this; the sealed channel over MQTT implements it. Types alone, and the refusal.
 */

/** `pod` is the pod's name on its node, without the node's suffix; `container` may be left out where the pod has a default. */
export type StreamAsk =
  | {
      kind: 'logs';
      namespace: string;
      pod: string;
      uid?: string;
      container?: string;
      follow?: boolean;
      tailLines?: number;
      sinceSeconds?: number;
      sinceTime?: string;
      previous?: boolean;
      timestamps?: boolean;
      limitBytes?: number;
    }
  | {
      kind: 'exec';
      namespace: string;
      pod: string;
      container?: string;
      command: readonly string[];
      stdin: boolean;
      stdout: boolean;
      stderr: boolean;
      tty: boolean;
    }
  | {
      kind: 'attach';
      namespace: string;
      pod: string;
      container?: string;
      stdin: boolean;
      stdout: boolean;
      stderr: boolean;
      tty: boolean;
    }
  | { kind: 'portForward'; namespace: string; pod: string; port: number };

export type OutputChannel = 'stdout' | 'stderr';

/** A Kubernetes Status without its kind: what `kubectl exec` reads on the error channel. */
export interface StreamEnd {
  status: 'Success' | 'Failure';
  reason?: string;
  message?: string;
  code?: number;
  details?: { causes?: { reason: string; message: string }[] };
}

/** Why a stream did not open: a closed list. */
export type StreamRefusedCode =
  /** 400: the ask does not fit the pod (no such container, several to choose from, a former run that is not there). */
  | 'BadRequest'
  /** 403: the node's own configuration does not allow it. */
  | 'Forbidden'
  /** 404: no such node, pod. */
  | 'NotFound'
  /** 429: as many streams as the node or the hub allows are open. */
  | 'TooManyStreams'
  /** 500: the node's engine could not do it. */
  | 'InternalError'
  /** 501: the node or its engine cannot do this at all. */
  | 'NotSupported'
  /** 503: the node is away, or the hub has no link to its broker. */
  | 'NodeOffline'
  /** 504: the node did not answer. */
  | 'Timeout'
  /** 499: the asker went away first. */
  | 'Cancelled';

const HTTP_STATUS: Record<StreamRefusedCode, number> = {
  BadRequest: 400,
  Forbidden: 403,
  NotFound: 404,
  TooManyStreams: 429,
  InternalError: 500,
  NotSupported: 501,
  NodeOffline: 503,
  Timeout: 504,
  Cancelled: 499,
};

export class StreamRefused extends Error {
  readonly code: StreamRefusedCode;
  /** HTTP. */
  readonly status: number;

  constructor(code: StreamRefusedCode, message: string) {
    super(message);
    this.name = 'StreamRefused';
    this.code = code;
    this.status = HTTP_STATUS[code];
  }
}

export interface NodeStreams {
  /**
   * Resolves when the node has accepted. Rejects with StreamRefused (code, message, HTTP status) when it refuses, is away,
   * or does not answer. An abort of `signal` ends the stream at any time.
   */
  open(
    node: string,
    ask: StreamAsk,
    options: { user: string; signal: AbortSignal; sink: StreamSink },
  ): Promise<NodeStream>;
}

export interface StreamSink {
  /** Awaited before more credit is given: this is the flow control. */
  output(channel: OutputChannel, bytes: Buffer): Promise<void>;
  /** Once, at the end: a Kubernetes Status object (Success, or Failure with details.causes ExitCode …). */
  ended(status: StreamEnd): void;
}

export interface NodeStream {
  /** Resolves when there is credit for it. */
  write(bytes: Buffer): Promise<void>;
  /** End of stdin (of the connection's one half, for a port). Safe to call twice. */
  endInput(): void;
  resize(width: number, height: number): void;
  /** Safe to call twice. */
  close(): void;
}
