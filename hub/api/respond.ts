/**
 * Writes answers to the socket. A reader that takes nothing for half a minute is cut off, so that neither a stalled
 * client nor a slow watcher holds memory or a store's watch for ever.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../protocol/ports.js';
import type { Answer } from './request.js';

const STALLED_MS = 30_000;

const COMMON_HEADERS = {
  'cache-control': 'no-cache, private',
  'x-content-type-options': 'nosniff',
} as const;

/** Resolves true when the socket takes more, false when it never will. */
async function drained(
  response: ServerResponse,
  { clock, stalledMs }: { clock: Clock; stalledMs: number },
): Promise<boolean> {
  const waiting = new AbortController();
  let open = true;
  const proceed = () => waiting.abort();
  const closed = () => {
    open = false;
    waiting.abort();
  };
  response.once('drain', proceed);
  response.once('close', closed);
  if (response.destroyed) closed();
  await clock.sleep(stalledMs, waiting.signal);
  response.off('drain', proceed);
  response.off('close', closed);
  const stalled = !waiting.signal.aborted;
  if (stalled) response.destroy();
  return open && !stalled;
}

async function writeStream(
  response: ServerResponse,
  { chunks, stalledMs = STALLED_MS }: Extract<Answer, { type: 'stream' }>,
  clock: Clock,
): Promise<void> {
  for await (const chunk of chunks) {
    if (response.destroyed) return;
    if (!response.write(chunk) && !(await drained(response, { clock, stalledMs }))) return;
  }
  response.end();
}

function writeWhole(
  response: ServerResponse,
  head: { code: number; contentType: string; warnings?: readonly string[] },
  content: Uint8Array,
): void {
  response.writeHead(head.code, {
    ...COMMON_HEADERS,
    'content-type': head.contentType,
    'content-length': content.byteLength,
    ...warningHeader(head.warnings ?? []),
  });
  response.end(content);
}

/** All of them together: clients read no more headers than this. */
const WARNINGS_BYTES_MAX = 4096;

/** As an API server has it: `299 - "text"`, RFC 7234 section 5.5, of printable ASCII alone. */
function warningHeader(warnings: readonly string[]): Readonly<Record<string, string[]>> {
  let left = WARNINGS_BYTES_MAX;
  const lines = warnings
    .map(text => text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, found => `\\${found}`))
    .map(text => `299 - "${text}"`)
    .filter(line => (left -= line.length) >= 0);
  return lines.length === 0 ? {} : { warning: lines };
}

/** Errors of a stream that has begun can only be told by breaking it off: they are thrown on. */
export async function respond(
  response: ServerResponse,
  answer: Answer,
  clock: Clock,
): Promise<void> {
  switch (answer.type) {
    case 'json': {
      const content = Buffer.from(JSON.stringify(answer.body));
      const { code, warnings = [] } = answer;
      writeWhole(response, { code, contentType: 'application/json', warnings }, content);
      return;
    }
    case 'bytes':
      writeWhole(response, answer, answer.content);
      return;
    case 'stream':
      // A watch is silent for as long as nothing happens; TCP keep-alive finds a peer that is gone.
      if (answer.live) response.setTimeout(0);
      response.writeHead(200, {
        ...COMMON_HEADERS,
        'content-type': answer.contentType ?? 'application/json',
      });
      response.flushHeaders();
      await writeStream(response, answer, clock);
  }
}
