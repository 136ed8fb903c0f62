/** A real Docker Engine as the subject of the runtime's contracts. */
import { realClock } from '../../agent/clock.js';
import { DockerRuntime } from '../../agent/runtime/docker.js';
import type { Log } from '../../protocol/ports.js';
import type { RealSubject } from '../contracts/runtime-security.contract.js';
import { docker, DOCKER_SOCKET, ensureTestImage, randomHex, removeOwned } from './docker.js';
import { freePort } from './ports.js';

const quiet: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

export function runtimeOf(owner: string, socketPath = DOCKER_SOCKET): DockerRuntime {
  return new DockerRuntime({
    socketPath,
    owner,
    arch: process.arch,
    clock: realClock(),
    log: quiet,
    randomSuffix: () => randomHex(4),
  });
}

export function dockerSubject(): RealSubject {
  const owner = `/test/${randomHex(6)}`;
  return {
    runtime: runtimeOf(owner),
    again: () => runtimeOf(owner),
    stranger: () => runtimeOf(`${owner}/other`),
    down: () => runtimeOf(owner, '/nonexistent/docker.sock'),
    image: ensureTestImage(),
    pidOf: id => Number(docker('inspect', '--format', '{{.State.Pid}}', id)),
    killSandbox: id => void docker('kill', id),
    freePort: () => freePort('0.0.0.0'),
    names: () => docker('ps', '-a', '--format', '{{.Names}}').split('\n'),
    close: () => removeOwned(owner),
  };
}
