/** The tcpSocket probe: it passes when the connection opens (kubelet behaviour row 104; `pkg/probe/tcp`). */
import { connect } from 'node:net';
import { AddressError, causeOf, hostAndPort, hostOf, portNumber } from './address.js';
import { failure, probeError, SUCCESS, type ProbeAnswer, type ProbeCall } from './answer.js';
import type { Probe } from '../../protocol/pod.js';

type TcpSocket = NonNullable<Probe['tcpSocket']>;

export async function tcpProbe(action: TcpSocket, call: ProbeCall): Promise<ProbeAnswer> {
  const { target, signal } = call;
  let address: { readonly host: string; readonly port: number };
  try {
    const port = portNumber(action.port, target.container);
    address = { host: hostOf(action.host, target.host), port };
  } catch (error) {
    if (error instanceof AddressError) return probeError(error.message);
    throw error;
  }
  const where = `dial tcp ${hostAndPort(address.host, address.port)}`;
  return new Promise(resolve => {
    const socket = connect({ ...address, signal });
    socket.on('connect', () => {
      resolve(SUCCESS);
      socket.destroy();
    });
    socket.on('error', error => {
      resolve(failure(`${where}: ${signal.aborted ? 'i/o timeout' : causeOf(error)}`));
    });
  });
}
