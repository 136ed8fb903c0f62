/** A registry on the loopback (Debian's docker-registry), open or with a password, and images pushed to it from the local engine. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.js';
import { eventually } from './wait.js';

const PROGRAM = '/usr/bin/docker-registry';

export const USER = 'fleet';
export const PASSWORD = 'open sesame';
/** bcrypt of the password. */
const HTPASSWD = `${USER}:$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n`;

export interface TestRegistry {
  /** `127.0.0.1:<port>`. */
  readonly host: string;
  /** Pushes a local image under a name of this registry and removes that name here again. */
  push(image: string, name: string): string;
  /** It takes connections and does not answer, as a registry behind a bad link; `resume` ends that. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** False, or why there is none. */
export function noRegistry(): string | false {
  return existsSync(PROGRAM) ? false : `${PROGRAM} is not installed`;
}

export async function startRegistry(options: {
  readonly password: boolean;
}): Promise<TestRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  mkdirSync(join(folder, 'docker'));
  writeFileSync(join(folder, 'htpasswd'), HTPASSWD);
  const config = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'images') } },
    http: { addr: host },
    ...(options.password
      ? { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } }
      : {}),
  };
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config));
  const auth = Buffer.from(`${USER}:${PASSWORD}`).toString('base64');
  writeFileSync(
    join(folder, 'docker/config.json'),
    JSON.stringify({ auths: { [host]: { auth } } }),
  );
  const child = spawn(PROGRAM, ['serve', join(folder, 'config.yml')], { stdio: 'ignore' });
  await eventually('the registry answers', async () => {
    const { status } = await fetch(`http://${host}/v2/`);
    return status === 200 || status === 401;
  });
  const env = { ...process.env, DOCKER_CONFIG: join(folder, 'docker') };
  const cli = (...args: string[]) => execFileSync('docker', args, { env, stdio: 'pipe' });
  return {
    host,
    push(image, name) {
      const reference = `${host}/${name}`;
      cli('tag', image, reference);
      cli('push', '-q', reference);
      cli('image', 'rm', reference);
      return reference;
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    close() {
      child.kill('SIGCONT');
      child.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface SlowRegistry {
  readonly host: string;
  /** From now on half of a layer is sent and no more, until `release`. */
  hold(): void;
  release(): void;
  close(): void;
}

/** In front of a registry: what it sends of a layer comes in ten pieces, with a pause before each. */
export async function startSlowRegistry(
  { host: behind }: Pick<TestRegistry, 'host'>,
  pauseMs: number,
): Promise<SlowRegistry> {
  let isHeld = false;
  const server = createServer((request, response) => {
    void (async () => {
      const { method = 'GET', headers, url = '' } = request;
      const accept = { accept: headers.accept ?? '*/*' };
      const answer = await fetch(`http://${behind}${url}`, { method, headers: accept });
      const body = Buffer.from(await answer.arrayBuffer());
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      const piece = Math.max(64 * 1024, Math.ceil(body.length / 10));
      for (let from = 0; from < body.length; from += piece) {
        if (body.length > piece) await delay(pauseMs);
        while (isHeld && from > body.length / 2) await delay(pauseMs);
        response.write(body.subarray(from, from + piece));
      }
      response.end();
    })().catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return {
    host: `127.0.0.1:${port}`,
    hold: () => void (isHeld = true),
    release: () => void (isHeld = false),
    close,
  };
}

/** Something at the place of a registry that answers every request alike. */
export async function startBrokenRegistry(
  status: number,
  body: string,
): Promise<{ readonly host: string; close(): void }> {
  const server = createServer((_request, response) => {
    response.writeHead(status, { 'content-type': 'text/html' }).end(body);
  });
  const port = await new Promise<number>(done =>
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      done(typeof address === 'object' && address ? address.port : 0);
    }),
  );
  return { host: `127.0.0.1:${port}`, close: () => server.close() };
}
