/** The hub's log: lines on a stream, stamped with the time unless whoever collects them stamps better. */
import type { Writable } from 'node:stream';
import { logLine, type LogLevel } from '../protocol/log-line.js';
import type { Clock, Log } from '../protocol/ports.js';

/** `clock: null`: no time in front (systemd's journal has its own). */
export function logTo(stream: Writable, clock: Clock | null): Log {
  const write =
    (level: LogLevel): Log['info'] =>
    (message, fields) => {
      const time = clock ? `${new Date(clock.now()).toISOString()} ` : '';
      stream.write(`${time}${logLine(level, message, fields)}\n`);
    };
  return { info: write('info'), warn: write('warn'), error: write('error') };
}
