/** Signatures of a simulated fleet are real, and computed once; keys are read once, however often their files are. */
import crypto from 'node:crypto';
import type { Holder } from './steps.js';

const SIGNED_MAX = 2_000;
const KEYS_MAX = 500;

/**
 * Ed25519 is most of what a history costs. What was signed here a moment ago, these bytes by this key, needs no second
 * computation to be known for good; whatever else is verified is computed.
 */
export function shortenSignatures(): void {
  const calls = crypto as unknown as Holder;
  const createPublicKey = crypto.createPublicKey.bind(crypto);
  const sign = crypto.sign.bind(crypto);
  const verify = crypto.verify.bind(crypto);
  const keys = new Map<string, crypto.KeyObject>();
  const signed = new Map<string, { readonly by: crypto.KeyObject; readonly bytes: Buffer }>();
  const idOf = (key: crypto.KeyObject) =>
    key.export({ format: 'der', type: 'spki' }).toString('latin1');
  const publicKeys = new WeakMap<crypto.KeyObject, crypto.KeyObject>();
  const publicOf = (key: crypto.KeyObject) => {
    let found = publicKeys.get(key);
    if (found === undefined) {
      const made = createPublicKey(key);
      found = keys.get(idOf(made)) ?? made;
      keys.set(idOf(made), found);
      publicKeys.set(key, found);
    }
    return found;
  };
  const createPrivateKey = crypto.createPrivateKey.bind(crypto);
  const privateKeys = new Map<string, crypto.KeyObject>();
  calls['createPrivateKey'] = (input: unknown) => {
    if (typeof input !== 'string') return createPrivateKey(input as never);
    const found = privateKeys.get(input) ?? createPrivateKey(input);
    if (privateKeys.size >= KEYS_MAX) privateKeys.clear();
    privateKeys.set(input, found);
    return found;
  };
  calls['createPublicKey'] = (input: unknown) => {
    if (input instanceof crypto.KeyObject) return publicOf(input);
    const { key, format } = input as { key?: unknown; format?: unknown };
    if (!Buffer.isBuffer(key) || format !== 'der') return createPublicKey(input as never);
    const id = key.toString('latin1');
    const known = keys.get(id) ?? createPublicKey(input as never);
    keys.set(id, known);
    return known;
  };
  calls['sign'] = (...args: unknown[]) => {
    const signature = Reflect.apply(sign, crypto, args) as Buffer;
    const [algorithm, bytes, key] = args;
    if (algorithm === null && key instanceof crypto.KeyObject) {
      if (signed.size > SIGNED_MAX) signed.clear();
      const copy = Buffer.from(bytes as Uint8Array);
      signed.set(signature.toString('latin1'), { by: publicOf(key), bytes: copy });
    }
    return signature;
  };
  calls['verify'] = (...args: unknown[]) => {
    const [algorithm, bytes, key, signature] = args;
    const known = signed.get(Buffer.from(signature as Uint8Array).toString('latin1'));
    if (algorithm === null && known?.by === key && known?.bytes.equals(bytes as Uint8Array)) {
      return true;
    }
    return Reflect.apply(verify, crypto, args) as boolean;
  };
}
