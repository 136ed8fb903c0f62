/** Client of the agent's socket: how the commands at the device reach the running agent. */
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { CliError } from '../../protocol/cli-error.js';

/** Opens an answer. Throws `CliError`: no agent there, or what the agent said. */
export function openSocket(
  dataDir: string,
  path: string,
  options: { readonly signal?: AbortSignal; readonly method?: 'GET' | 'POST' } = {},
): Promise<IncomingMessage> {
  const socketPath = join(dataDir, 'agent.sock');
  return new Promise((done, fail) => {
    const req = request({ socketPath, path, ...options }, response => {
      if (response.statusCode === 200) return done(response);
      readText(response).then(
        text =>
          fail(new CliError((response.statusCode ?? 0) >= 500 ? 'failed' : 'refused', text.trim())),
        fail,
      );
    });
    req.on('error', error => {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EACCES') {
        return fail(
          new CliError(
            'refused',
            `not allowed to open ${socketPath}`,
            'be the user that runs the agent',
          ),
        );
      }
      fail(
        new CliError(
          'failed',
          `no agent runs on ${dataDir} (${whyNot(code) ?? error.message})`,
          'start it with `flotilla-agent run --data-dir DIR`, or pass the --data-dir it was started with',
        ),
      );
    });
    req.end();
  });
}

/** Two ways to find nobody: never started here, or ended without a word. */
function whyNot(code: string | undefined): string | undefined {
  if (code === 'ENOENT') return 'it has no agent.sock';
  if (code === 'ECONNREFUSED') return 'nothing answers on its agent.sock';
  return code;
}

export async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

export async function getJson<T>(dataDir: string, path: string): Promise<T> {
  return JSON.parse(await readText(await openSocket(dataDir, path))) as T;
}
