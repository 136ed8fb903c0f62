/**
 * What lies outside of agent and hub, taken over for the whole process: import this first. Files and databases are real,
 * their moments are the scheduler's; randomness and `setImmediate` are its too; MQTT.js and TCP are the simulated
 * broker's.
 */
import crypto from 'node:crypto';
import { EventEmitter } from 'node:events';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import { SimulatedClient } from './mqtt-client.js';
import { outside, type AnyFunction, type Holder } from './steps.js';
import { shortenInflating } from './deflated.js';
import { takeDatabases } from './take-databases.js';
import { takeFiles } from './take-files.js';
import { takeKeys } from './take-keys.js';
import { takeStreams } from './take-streams.js';
import { shortenSignatures } from './signatures.js';

function takeChance(): void {
  const calls = crypto as unknown as Holder;
  const bytes = (size: number) =>
    Buffer.from(Array.from({ length: size }, () => Math.floor((outside()?.random() ?? 0) * 256)));
  for (const name of ['randomBytes', 'randomUUID']) {
    const real = calls[name] as AnyFunction;
    calls[name] = (...args: unknown[]) => {
      if (outside() === null) return real(...args);
      if (name === 'randomBytes') return bytes(args[0] as number);
      const hex = bytes(16).toString('hex');
      return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');
    };
  }
  const real = globalThis.setImmediate;
  const taken = (run: (...args: unknown[]) => void, ...args: unknown[]): unknown => {
    const actor = outside()?.scheduler.actor;
    const { scheduler } = outside() ?? {};
    if (!scheduler || !actor) return real(run, ...args);
    return scheduler.after(0, actor, () => run(...args));
  };
  globalThis.setImmediate = taken as unknown as typeof globalThis.setImmediate;
}

/** Nothing is ever said on it: the client and the broker know each other. */
class SimulatedSocket extends EventEmitter {
  destroy(): void {
    this.emit('destroyed');
  }
}

function takeNetwork(): void {
  const require = createRequire(import.meta.url);
  (require('mqtt/mqtt') as Record<string, unknown>)['MqttClient'] = SimulatedClient;
  (net as unknown as Holder)['connect'] = () => new SimulatedSocket();
}

/** An abort without a reason makes an exception with its stack, some hundred times a history: one does for all. */
function shortenAborts(): void {
  const calls = AbortController.prototype as unknown as Holder;
  const abort = calls['abort'] as AnyFunction;
  const usual = new DOMException('This operation was aborted', 'AbortError');
  calls['abort'] = function (this: unknown, reason: unknown = usual) {
    return abort.call(this, reason);
  };
}

takeFiles();
shortenSignatures();
shortenInflating();
shortenAborts();
takeDatabases();
takeChance();
takeKeys();
takeStreams();
takeNetwork();
syncBuiltinESMExports();
