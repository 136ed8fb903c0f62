/** Keys that agent and hub make, and what age draws, follow from the history's numbers like all else that is drawn. */
import crypto from 'node:crypto';
import { outside, type Holder } from './steps.js';

/** PKCS#8 up to the key (RFC 8410). */
const PREFIXES: Readonly<Record<string, string>> = {
  ed25519: '302e020100300506032b657004220420',
  x25519: '302e020100300506032b656e04220420',
};
const SEED_BYTES = 32;

function drawnBytes(random: () => number, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, () => Math.floor(random() * 256)));
}

export function takeKeys(): void {
  const calls = crypto as unknown as Holder;
  const generate = crypto.generateKeyPairSync.bind(crypto) as (...args: unknown[]) => unknown;
  calls['generateKeyPairSync'] = (...args) => {
    const [type] = args;
    const { random } = outside() ?? {};
    const prefix = PREFIXES[String(type)];
    // A key of TLS is none of the simulation's.
    if (random === undefined || prefix === undefined) return generate(...args);
    const key = Buffer.concat([Buffer.from(prefix, 'hex'), drawnBytes(random, SEED_BYTES)]);
    const privateKey = crypto.createPrivateKey({ key, format: 'der', type: 'pkcs8' });
    return { privateKey, publicKey: crypto.createPublicKey(privateKey) };
  };
  const web = globalThis.crypto;
  const fill = web.getRandomValues.bind(web);
  web.getRandomValues = array => {
    const { random } = outside() ?? {};
    if (random === undefined || array === null) return fill(array);
    const { buffer, byteOffset, byteLength } = array as Uint8Array;
    drawnBytes(random, byteLength).copy(new Uint8Array(buffer, byteOffset, byteLength));
    return array;
  };
}
