/**
 * `hub broker-config mosquitto`: the directory that Mosquitto runs from, made from a hub's data
 * directory. The hub may be running; no key is opened but the broker's own, which lies there for it.
 */
import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { topicsOf } from '../../protocol/topics.js';
import { initialDynamicSecurity } from '../broker/dynamic-security-rules.js';
import { MOSQUITTO_FILES, mosquittoAccess, mosquittoConfig } from '../broker/mosquitto.js';
import { activeNodes } from '../store/sqlite-copy.js';
import { hubPaths, parseEndpoint, type Endpoint, type HubConfig } from './config.js';
import { newestRootOf, settingsOf } from './load.js';
import { makePrivateDirectory, readFileIfAny, writePrivateFile } from './private-files.js';
import { SetupError } from './setup-error.js';

/** Where packages put the plugin: Debian and Ubuntu by architecture, then the container image. */
const PLUGIN = 'mosquitto_dynamic_security.so';
const TRIPLETS: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
  arm: 'arm-linux-gnueabihf',
};

export interface MosquittoOptions {
  readonly dataDir: string;
  readonly out: string;
  /** Where `out` will lie on the broker's machine; the same path if absent. */
  readonly installDir?: string | undefined;
  /** Every address, and the port of the hub's settings, if absent. */
  readonly listen?: string | undefined;
  /** Where MQTT over WebSocket is served besides; nowhere if absent. */
  readonly websocketListen?: string | undefined;
  readonly user: string;
  /** As the hub's settings say if absent. */
  readonly dynamicSecurity?: boolean | undefined;
  readonly plugin?: string | undefined;
}

export interface MosquittoResult {
  readonly config: HubConfig;
  readonly out: string;
  readonly directory: string;
  readonly isDynamic: boolean;
  readonly written: readonly string[];
  /** The broker's own state, which is not overwritten; null: none. */
  readonly kept: string | null;
}

/** Throws `SetupError` and `StoreError`. Running it again replaces what it wrote. */
export function writeMosquittoFiles(options: MosquittoOptions): MosquittoResult {
  const { dataDir, user } = options;
  const out = resolve(options.out);
  const directory = (options.installDir ?? out).replace(/(?<=.)\/+$/, '');
  if (!isAbsolute(directory)) throw bad(`--install-dir ${directory}: is no absolute path`);
  if (/\s/.test(directory)) throw bad(`${directory}: Mosquitto takes no blanks in a path`);
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(user)) throw bad(`--user ${user}: is no user name`);
  const config = settingsOf(dataDir);
  const { fleet } = newestRootOf(dataDir).document;
  const listen = options.listen === undefined ? listenOf(config) : parseEndpoint(options.listen);
  if (!listen) throw bad(`--listen ${options.listen}: use an address like :8883`);
  const { websocketListen } = options;
  const webSocketListen = websocketListen === undefined ? null : parseEndpoint(websocketListen);
  if (websocketListen !== undefined && !webSocketListen) {
    throw bad(`--websocket-listen ${websocketListen}: use an address like :443`);
  }
  const isDynamic = options.dynamicSecurity ?? config.dynamicSecurity ?? false;
  const { broker, database } = hubPaths(dataDir);
  const topics = topicsOf(fleet);
  const plugin = isDynamic ? (options.plugin ?? pluginPath()) : null;
  const files = new Map([
    [
      MOSQUITTO_FILES.config,
      mosquittoConfig({
        ...{ fleet, listen, webSocketListen, directory, user },
        dynamicSecurityPlugin: plugin,
      }),
    ],
    [MOSQUITTO_FILES.authority, textOf(broker.authority)],
    [MOSQUITTO_FILES.certificate, textOf(broker.certificate)],
    [MOSQUITTO_FILES.key, textOf(broker.key)],
  ] as [string, string][]);
  const isKept = isDynamic && existsSync(join(out, MOSQUITTO_FILES.dynamicSecurity));
  if (!isDynamic) files.set(MOSQUITTO_FILES.access, mosquittoAccess(topics));
  else if (!isKept) {
    const initial = initialDynamicSecurity(topics, activeNodes(database));
    files.set(MOSQUITTO_FILES.dynamicSecurity, initial);
  }
  makePrivateDirectory(out);
  for (const [name, content] of files) writePrivateFile(join(out, name), content);
  const kept = isKept ? MOSQUITTO_FILES.dynamicSecurity : null;
  return { config, out, directory, isDynamic, written: [...files.keys()], kept };
}

function listenOf({ broker }: HubConfig): Endpoint {
  return { host: null, port: broker === 'embedded' ? 8883 : Number(new URL(broker).port) };
}

function pluginPath(): string {
  const packaged = `/usr/lib/${TRIPLETS[process.arch] ?? 'x86_64-linux-gnu'}/${PLUGIN}`;
  return [packaged, `/usr/lib/${PLUGIN}`].find(path => existsSync(path)) ?? packaged;
}

function textOf(path: string): string {
  const found = readFileIfAny(path);
  if (found === null)
    throw new SetupError('Missing', `${path} is missing; restore it from a backup`);
  return found;
}

function bad(message: string): SetupError {
  return new SetupError('BadSetting', message);
}
