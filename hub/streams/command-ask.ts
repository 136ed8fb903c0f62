/** An ask of the API as the command's document has it: what is not said is null. Pure. */
import type { CommandDocument } from '../../protocol/documents/command.js';
import { COMMAND_BYTES_MAX } from '../../protocol/stream-frames.js';
import { StreamRefused, type StreamAsk } from './streams.js';

const USER_MAX = 256;

/** Throws `StreamRefused` for a program whose words do not fit into the first frame. */
export function commandAsk(
  ask: StreamAsk,
  { user, key }: { readonly user: string; readonly key: string },
): CommandDocument['ask'] {
  const { namespace, pod } = ask;
  const target = { key, user: userText(user), namespace, pod };
  switch (ask.kind) {
    case 'logs': {
      const { follow = false, previous = false, timestamps = false } = ask;
      const { uid = null, container = null, tailLines = null, sinceSeconds = null } = ask;
      const { sinceTime = null, limitBytes = null } = ask;
      return {
        ...{ kind: ask.kind, ...target, uid, container, follow, previous, timestamps },
        ...{ tailLines, sinceSeconds, sinceTime, limitBytes },
      };
    }
    case 'exec':
      checkWords(ask.command);
      return { kind: ask.kind, ...target, ...terminalOf(ask) };
    case 'attach':
      return { kind: ask.kind, ...target, ...terminalOf(ask) };
    case 'portForward':
      return { kind: ask.kind, ...target, port: ask.port };
  }
}

function terminalOf(ask: Extract<StreamAsk, { kind: 'exec' | 'attach' }>) {
  const { container = null, stdin, stdout, stderr, tty } = ask;
  return { container, stdin, stdout, stderr, tty };
}

function checkWords(command: readonly string[]): void {
  if (command.length === 0 || command[0] === '') {
    throw new StreamRefused('BadRequest', 'command: says no program');
  }
  if (command.some(word => word.includes('\0'))) {
    throw new StreamRefused('BadRequest', 'command: a word with a NUL in it');
  }
  const bytes = Buffer.byteLength(JSON.stringify(command));
  if (bytes <= COMMAND_BYTES_MAX) return;
  const rule = `at most ${COMMAND_BYTES_MAX} bytes: give a long script on standard input`;
  throw new StreamRefused('BadRequest', `command: ${bytes} bytes, ${rule}`);
}

/** As a node shows it. */
function userText(user: string): string {
  return user.replace(/\p{C}/gu, '?').slice(0, USER_MAX) || 'unknown';
}
