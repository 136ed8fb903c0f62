/** What tests need of a real Docker Engine: is one there, an image that needs no registry, a clean end. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const DOCKER_SOCKET = '/var/run/docker.sock';
export const TEST_IMAGE = 'flotilla.dev/test:1';

/** Runs the docker CLI and returns its stdout, trimmed. Throws with its stderr. */
export function docker(...args: string[]): string {
  return execFileSync('docker', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

/**
 * Ids of the running containers of a node, one a line, '' where there is none. `owner`: its data directory; sandboxes are among them unless
 * a container is named. `pod`: with the node's suffix.
 */
export function runningOf(
  owner: string,
  { pod, container }: { readonly pod?: string; readonly container?: string } = {},
): string {
  const labels = [
    `flotilla.dev/owner=${owner}`,
    ...(pod === undefined ? [] : [`io.kubernetes.pod.name=${pod}`]),
    ...(container === undefined ? [] : [`io.kubernetes.container.name=${container}`]),
  ];
  const filters = labels.flatMap(label => ['--filter', `label=${label}`]);
  return docker('ps', '-q', '--no-trunc', ...filters);
}

/** False, or a reason to skip, when no engine answers. The test command starts one, so there it never skips. */
export function noEngine(): string | false {
  try {
    docker('version', '--format', '{{.Server.Version}}');
    return false;
  } catch {
    return 'no Docker Engine answers on this machine';
  }
}

/** A new directory with what the test image is made from; the caller removes it. */
export function testImageRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'flotilla-image-'));
  mkdirSync(join(root, 'bin'));
  mkdirSync(join(root, 'tmp'));
  cpSync('/bin/busybox', join(root, 'bin/busybox'), { dereference: true });
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).split('\n');
  for (const applet of applets) {
    if (applet !== '' && applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  }
  return root;
}

/** `flotilla.dev/test:1`: busybox with its applets on PATH. Made once per machine. `command`: what it runs when nobody says. */
export function ensureTestImage(name = TEST_IMAGE, command: readonly string[] = ['sh']): string {
  try {
    docker('image', 'inspect', name);
    return name;
  } catch {
    const root = testImageRoot();
    try {
      const tar = execFileSync('tar', ['-C', root, '-c', '.'], { maxBuffer: 64 * 1024 * 1024 });
      const ends = `CMD ${JSON.stringify(command)}`;
      execFileSync('docker', ['import', '--change', 'ENV PATH=/bin', '--change', ends, '-', name], {
        input: tar,
        stdio: ['pipe', 'ignore', 'pipe'],
      });
      return name;
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  }
}

/** What the engine still does for an agent that was killed: a container is on its way out, or is gone by now. */
const ELSEWHERE_REMOVED = /removal of container \S+ is already in progress|no such container/i;
/** Each gives the engine a moment to end what it does. */
const REMOVALS_MAX = 300;

/** Removes all containers that the filters show, whatever state they are in. */
export function removeContainers(...filters: string[]): void {
  const shown = filters.flatMap(filter => ['--filter', filter]);
  for (let tries = 0; ; tries++) {
    const ids = docker('ps', '-aq', ...shown).split('\n');
    if (ids[0] === '') return;
    try {
      docker('rm', '-f', '-v', ...ids);
    } catch (error) {
      if (tries === REMOVALS_MAX || !ELSEWHERE_REMOVED.test(String(error))) throw error;
      execFileSync('sleep', ['0.1']);
    }
  }
}

/** Removes every container of an owner; sandboxes last, as Podman wants it. */
export function removeOwned(owner: string): void {
  const owned = `label=flotilla.dev/owner=${owner}`;
  removeContainers(owned, 'label=io.kubernetes.docker.type=container');
  removeContainers(owned);
}

export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}
