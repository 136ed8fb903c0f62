/** `flotilla port-forward`: ports of this machine that lead to ports of a pod, until Ctrl-C. */
import { Command } from 'commander';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { CliError } from '../../protocol/cli-error.js';
import {
  connected,
  withConnection,
  type Connected,
  type ConnectionOptions,
  type Context,
} from './context.js';
import { findPod, PODS, type PodOptions } from './pod-choice.js';
import { pathOf } from './resources.js';

interface ForwardOptions extends ConnectionOptions, PodOptions {
  address: string;
}

/** One WebSocket to a connection: its data, and what went wrong. Each begins with the port, two bytes. */
const DATA = 0;
const ERROR = 1;
const CLOSE = 255;
const PORT_BYTES = 2;

const EXAMPLES = `
Examples:
  flotilla port-forward web-edge-1 8080:80
  flotilla port-forward web --node edge-1 :80 9090        # any free port; the same port

A node allows port-forward only if its configuration says so.`;

export function portForwardCommand(context: Context): Command {
  return withConnection(new Command('port-forward'))
    .summary('lead ports of this machine to ports of a pod')
    .argument('<pod>', 'pod, with or without its node’s name')
    .argument('<ports...>', 'LOCAL:REMOTE, PORT for both, :REMOTE for any free one here')
    .option('--address <address>', 'where to listen', 'localhost')
    .option('--node <name>', 'where the pod is given without its node’s name: which one')
    .addHelpText('after', EXAMPLES)
    .action((pod: string, ports: string[], options: ForwardOptions) =>
      connected(context, options, hub => portForward(context, hub, { pod, ports, options })),
    );
}

interface Ports {
  readonly local: number;
  readonly remote: number;
}

function parsePorts(text: string): Ports {
  const [first = '', second, more] = text.split(':');
  const port = (word: string, min: number) => {
    const number = /^\d{1,5}$/.test(word) ? Number(word) : -1;
    if (number >= min && number <= 65_535) return number;
    throw new CliError('refused', `"${text}" is not LOCAL:REMOTE: "${word}" is not a port`);
  };
  if (more !== undefined) throw new CliError('refused', `"${text}" is not LOCAL:REMOTE`);
  if (second === undefined) return { local: port(first, 1), remote: port(first, 1) };
  return { local: first === '' ? 0 : port(first, 0), remote: port(second, 1) };
}

async function portForward(
  context: Context,
  hub: Connected,
  request: { pod: string; ports: readonly string[]; options: ForwardOptions },
): Promise<void> {
  const { terminal, signal } = context;
  const { address } = request.options;
  const ports = request.ports.map(parsePorts);
  const pod = await findPod(hub, request.pod, request.options.node);
  const { namespace = hub.namespace, name } = pod.metadata;
  const path = `${pathOf(PODS, namespace, name)}/portforward`;
  const hosts = address === 'localhost' ? ['127.0.0.1', '::1'] : [address];
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  try {
    for (const { local, remote } of ports) {
      const take = (socket: Socket) => {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
        const failed = (error: Error) =>
          terminal.warn(`error: a connection to port ${remote} of ${name}: ${error.message}`);
        forward(hub, { path, remote, socket, signal }).catch(failed);
      };
      let port = local;
      for (const [index, host] of hosts.entries()) {
        const server = await listen(take, { host, port, isSpare: index > 0 });
        if (!server) continue;
        servers.push(server);
        ({ port } = server.address() as AddressInfo);
        const shown = host.includes(':') ? `[${host}]` : host;
        terminal.print(`Forwarding from ${shown}:${port} -> ${remote}`);
      }
    }
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    for (const server of servers) server.close();
    for (const socket of sockets) socket.destroy();
  }
}

/** Null where the second of two addresses is not there: machines without IPv6. */
async function listen(
  take: (socket: Socket) => void,
  { host, port, isSpare }: { host: string; port: number; isSpare: boolean },
): Promise<Server | null> {
  const server = createServer({ allowHalfOpen: true }, take);
  try {
    server.listen(port, host);
    await once(server, 'listening');
    return server;
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    if (isSpare) return null;
    const hint =
      code === 'EADDRINUSE' ? 'another program has it: choose another, or :REMOTE' : null;
    throw new CliError('failed', `cannot listen on ${host} port ${port}: ${code}`, hint);
  }
}

interface Forwarded {
  readonly path: string;
  readonly remote: number;
  readonly socket: Socket;
  readonly signal: AbortSignal;
}

/** One connection to its end. Throws what the hub or the node refused. */
async function forward(
  { client }: Connected,
  { path, remote, socket, signal }: Forwarded,
): Promise<void> {
  socket.on('error', () => undefined);
  try {
    const query = new URLSearchParams({ ports: String(remote) });
    const tunnel = await client.webSocket({ path, signal }, query);
    const begun = new Set<number>();
    let refusal = '';
    tunnel.on('message', message => {
      const data = message as Buffer;
      const [channel = DATA] = data;
      const bytes = data.subarray(1 + (begun.has(channel) ? 0 : PORT_BYTES));
      begun.add(channel);
      if (channel === ERROR) refusal += bytes.toString();
      else if (bytes.length > 0 && !socket.write(bytes)) {
        tunnel.pause();
        socket.once('drain', () => tunnel.resume());
      }
    });
    socket.once('close', () => tunnel.close());
    const closed = once(tunnel, 'close');
    tunnel.resume();
    const send = (bytes: Buffer) => new Promise<void>(done => tunnel.send(bytes, () => done()));
    const pump = async () => {
      for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
        await send(Buffer.concat([Buffer.from([DATA]), bytes as Buffer]));
      }
      if (tunnel.readyState === tunnel.OPEN) await send(Buffer.from([CLOSE, DATA]));
    };
    void pump().catch(() => tunnel.close());
    await closed;
    if (refusal !== '') throw new Error(refusal);
    socket.end();
  } finally {
    if (!socket.writableEnded) socket.destroy();
  }
}
