/**
 * The embedded broker: aedes (MQTT 3.1.1) over TLS 1.3, client certificates required. It keeps
 * nothing over a restart; the hub publishes again. Who may do what is decided in access.ts;
 * a packet that announces more than a message may hold is refused at its header.
 */
import { Aedes, type Client } from 'aedes';
import { constants } from 'node:crypto';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { MESSAGE_BYTES_MAX } from '../../protocol/limits.js';
import { PacketGuard } from '../../protocol/packet-guard.js';
import type { Log } from '../../protocol/ports.js';
import { topicsOf, type Topics } from '../../protocol/topics.js';
import {
  brokerClientOf,
  maySubscribe,
  mayUseClientId,
  publishFault,
  type BrokerClient,
} from './access.js';
import { PACKET_OVERHEAD_BYTES } from './limits.js';
import { indexRetained, type RetainedStore } from './retained.js';
import { issuedByAny, peerOf } from '../setup/pki.js';

const HANDSHAKE_MS = 15_000;
/** Clients announce a keep-alive of their own; these find what announced none, and would cost a silent node more than MQTT's. */
const KEEPALIVE_PROBE_MS = 1_800_000;
/** MQTT 3.1.1 table 3.1. */
const IDENTIFIER_REJECTED = 2;
const SERVER_UNAVAILABLE = 3;
const NOT_AUTHORIZED = 5;
/** OpenSSL's word for a certificate of ours that is past its end. */
const EXPIRED = 'CERT_HAS_EXPIRED';

/** PEM; `ca` issued the clients' certificates. */
export interface BrokerServerTls {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

export interface BrokerOptions {
  readonly listen: { readonly host: string | null; readonly port: number };
  readonly tls: BrokerServerTls;
  readonly fleet: string;
  /** The key of the hub's own client certificate: SubjectPublicKeyInfo, base64. */
  readonly hubTlsKey: string;
  /**
   * Asked at each connect: is this the key (SubjectPublicKeyInfo, base64) of a node in good
   * standing?
   */
  readonly isAllowed: (node: string, tlsKey: string) => boolean | Promise<boolean>;
  readonly log: Log;
}

export interface Broker {
  readonly port: number;
  /** Why whoever is at the other end is not let in, for a connection that came by another door; null: he is. It is logged. */
  fault(socket: TLSSocket): string | null;
  /** Serves who has no fault, over a stream that the socket carries. */
  accept(socket: TLSSocket, stream: Duplex): void;
  /** Connections of nodes that are open now. */
  nodeConnections(): number;
  /** For connections from now on; cuts those whose certificates would not be taken any more. */
  useTls(tls: BrokerServerTls, hubTlsKey: string): void;
  /** Cuts the node's connections; its will is published. A node without one is no error. */
  disconnectNode(node: string): void;
  /** Cuts all connections and stops listening. Calling it again is safe. */
  close(): Promise<void>;
}

type Connections = WeakMap<object, Connection>;

interface Connection {
  readonly client: BrokerClient;
  readonly tlsKey: string;
  readonly socket: TLSSocket;
}

/** Rejects when the address is taken or may not be bound. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  /** By socket; outlives it, because a will is published after the socket is gone. */
  const connections: Connections = new WeakMap();
  const live = new Set<Connection>();
  const aedes = await Aedes.createBroker({
    ...accessRules(options, connections),
    connectTimeout: HANDSHAKE_MS,
  });
  indexRetained((aedes as unknown as { persistence: RetainedStore }).persistence);
  reportTroubles(aedes, connections, options.log);

  const sockets = new Set<TLSSocket>();
  let { hubTlsKey } = options;
  const server = createServer({
    ...contextOf(options.tls),
    requestCert: true,
    // Judged below: who comes with an expired certificate is told so, and can renew it.
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_MS,
  });
  server.on('tlsClientError', (error, socket) => {
    options.log.warn('broker: TLS refused', { address: addressOf(socket), reason: error.message });
  });
  const faultOf = (socket: TLSSocket): string | null => {
    const fault = socket.authorized ? null : String(socket.authorizationError);
    if (fault !== null && fault !== EXPIRED) return `TLS refused: ${fault}`;
    return identify(socket, hubTlsKey) ? null : 'the certificate is not for this broker';
  };
  const refused = (socket: TLSSocket, fault: string) =>
    options.log.warn('broker: refused', { address: addressOf(socket), reason: fault });
  const accept = (socket: TLSSocket, stream: Duplex) => {
    const connection = identify(socket, hubTlsKey);
    if (!connection) return void socket.destroy();
    connections.set(stream, connection);
    live.add(connection);
    socket.once('close', () => live.delete(connection));
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_PROBE_MS);
    guard(stream, connection, options.log);
    aedes.handle(stream);
  };
  server.on('secureConnection', socket => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const fault = faultOf(socket);
    if (fault === null) return accept(socket, socket);
    refused(socket, fault);
    socket.destroy();
  });
  try {
    await listening(server, options.listen);
  } catch (error) {
    await new Promise<void>(resolve => aedes.close(resolve));
    throw error;
  }

  let closing: Promise<void> | null = null;
  return {
    port: (server.address() as AddressInfo).port,
    fault: socket => {
      const fault = faultOf(socket);
      if (fault !== null) refused(socket, fault);
      return fault;
    },
    accept,
    nodeConnections: () => [...live].filter(({ client }) => client.kind === 'node').length,
    useTls: (tls, ownKey) => {
      hubTlsKey = ownKey;
      server.setSecureContext(contextOf(tls));
      for (const { socket } of live) if (!isIssuedBy(socket, tls.ca)) socket.destroy();
    },
    disconnectNode: node => {
      for (const { client, socket } of live) {
        if (client.kind === 'node' && client.node === node) socket.destroy();
      }
    },
    close: () =>
      (closing ??= (async () => {
        const closed = new Promise<void>(resolve => server.close(() => resolve()));
        await new Promise<void>(resolve => aedes.close(resolve));
        for (const socket of sockets) socket.destroy();
        await closed;
      })()),
  };
}

function contextOf({ key, cert, ca }: BrokerServerTls) {
  // A resumed session would not have its certificate judged again.
  const secureOptions = constants.SSL_OP_NO_TICKET;
  return { key, cert, ca, minVersion: 'TLSv1.3', secureOptions } as const;
}

/** Its chain was checked when it connected: which of the authorities it was is the question here. */
function isIssuedBy(socket: TLSSocket, authorities: string): boolean {
  const certificate = socket.getPeerX509Certificate();
  return certificate !== undefined && issuedByAny(certificate, authorities);
}

function listening(server: Server, { host, port }: BrokerOptions['listen']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, ...(host === null ? {} : { host }) }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function addressOf({ remoteAddress }: TLSSocket): string {
  return remoteAddress ?? 'unknown';
}

function identify(socket: TLSSocket, hubTlsKey: string): Connection | null {
  const certificate = socket.getPeerX509Certificate();
  const peer = certificate ? peerOf(certificate) : null;
  const client = peer ? brokerClientOf(peer, hubTlsKey) : null;
  return peer && client ? { client, tlsKey: peer.tlsKey, socket } : null;
}

/**
 * aedes pulls bytes with `read()` and its parser keeps a packet until it is whole: each chunk is
 * looked at before.
 */
function guard(stream: Duplex, { client, socket }: Connection, log: Log): void {
  const packets = new PacketGuard(MESSAGE_BYTES_MAX + PACKET_OVERHEAD_BYTES);
  const read = stream.read.bind(stream) as (size?: number) => Buffer | null;
  stream.read = (size?: number) => {
    const chunk = read(size);
    if (chunk === null || packets.admits(chunk)) return chunk;
    log.warn('broker: packet too large', { client: nameOf(client) });
    socket.destroy();
    return null;
  };
}

function nameOf(client: BrokerClient): string {
  return client.kind === 'hub' ? 'hub' : client.node;
}

class Refused extends Error {
  readonly returnCode: number;
  constructor(returnCode: number, message: string) {
    super(message);
    this.returnCode = returnCode;
  }
}

type Rules = Required<
  Pick<
    ConstructorParameters<typeof Aedes>[0] & object,
    'preConnect' | 'authenticate' | 'authorizePublish' | 'authorizeSubscribe'
  >
>;

function accessRules({ fleet, isAllowed }: BrokerOptions, connections: Connections): Rules {
  const topics = topicsOf(fleet);
  /** Found when the CONNECT was read, answered with a CONNACK. */
  const faults = new WeakMap<Client, Refused>();
  const connectionOf = (client: Client | null) => client && connections.get(client.conn);
  return {
    preConnect: (client, packet, done) => {
      const fault = connectFault(connectionOf(client), packet, topics);
      if (fault) faults.set(client, fault);
      done(null, true);
    },
    authenticate: (client, _username, _password, done) => {
      const refuse = (error: Refused) => done(error, false);
      const fault = faults.get(client);
      const connection = connectionOf(client);
      if (fault) return refuse(fault);
      if (!connection) return refuse(new Refused(NOT_AUTHORIZED, 'not connected any more'));
      if (connection.client.kind === 'hub') return done(null, true);
      const { node } = connection.client;
      void (async () => isAllowed(node, connection.tlsKey))().then(
        allowed => {
          if (allowed) done(null, true);
          else refuse(new Refused(NOT_AUTHORIZED, 'no such node, or no longer its key'));
        },
        (error: Error) => refuse(new Refused(SERVER_UNAVAILABLE, error.message)),
      );
    },
    authorizePublish: (client, packet, done) => {
      const connection = connectionOf(client);
      const fault = connection
        ? publishFault(connection.client, requestOf(packet), topics)
        : 'nobody is known to have sent it';
      done(fault ? new Refused(NOT_AUTHORIZED, `may not publish ${packet.topic}: ${fault}`) : null);
    },
    authorizeSubscribe: (client, subscription, done) => {
      const connection = connectionOf(client);
      const allowed = connection && maySubscribe(connection.client, subscription.topic, topics);
      done(null, allowed ? subscription : null);
    },
  };
}

interface AnyPacket {
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly qos?: number;
  readonly retain?: boolean;
}

function requestOf({ topic, payload, qos, retain }: AnyPacket) {
  const payloadBytes = Buffer.byteLength(payload);
  return { topic, qos: qos ?? 0, retain: retain ?? false, payloadBytes };
}

function connectFault(
  connection: Connection | null | undefined,
  packet: { readonly clientId: string; readonly clean?: boolean; readonly will?: AnyPacket },
  topics: Topics,
): Refused | null {
  if (!connection) return new Refused(NOT_AUTHORIZED, 'not connected any more');
  const { client } = connection;
  if (!connection.socket.authorized) {
    return new Refused(NOT_AUTHORIZED, 'the client certificate has expired: renew it');
  }
  if (!mayUseClientId(client, packet.clientId)) {
    return new Refused(
      IDENTIFIER_REJECTED,
      `client id is not that of the certificate (${nameOf(client)})`,
    );
  }
  if (client.kind === 'node' && packet.clean === false) {
    return new Refused(NOT_AUTHORIZED, 'a node connects with a clean session: nothing is queued');
  }
  const fault = packet.will && publishFault(client, requestOf(packet.will), topics);
  return fault ? new Refused(NOT_AUTHORIZED, `may not leave this will: ${fault}`) : null;
}

function reportTroubles(aedes: Aedes, connections: Connections, log: Log): void {
  const say = (client: Client, error: Error) => {
    const connection = connections.get(client.conn);
    // A connection that merely broke is everyday life on bad networks.
    if (!(error instanceof Refused)) return;
    const name = connection ? nameOf(connection.client) : client.id;
    log.warn('broker: refused', { client: name, reason: error.message });
  };
  aedes.on('clientError', say);
  aedes.on('connectionError', say);
  // Types leave out 'error', which an EventEmitter throws if nobody listens.
  (aedes as NodeJS.EventEmitter).on('error', (error: Error) => {
    log.error('broker: internal error', { reason: error.message });
  });
}
