/**
 * The files of the node that pods are given something of: its resolv.conf, its hosts file, its seccomp profiles.
 *
 * Reads only, each time anew: they change while the agent runs. Decides nothing. Kubelet behaviour rows 160, 171, 175.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isLoopbackOnly, parseResolvConf } from './resolv-conf.js';
import type { PodsOptions } from './pods.js';
import { RuntimeError } from '../runtime/runtime.js';

export interface NodeFiles {
  /** Empty when there is none. */
  resolvConf(): Promise<string>;
  /** Empty when there is none. */
  hosts(): Promise<string>;
  /** The text of a profile below the seccomp directory. Throws `CreateContainerError` with the file's path. */
  seccompProfile(name: string): Promise<string>;
}

export interface NodeFilesOptions {
  /** Empty: `/etc/resolv.conf`, or the file behind it where that names a resolver on the loopback alone. */
  readonly resolvConf: string;
  /** Where `localhostProfile` is looked for. */
  readonly seccompDir: string;
}

const RESOLV_CONF = '/etc/resolv.conf';
const HOSTS = '/etc/hosts';

/** Where resolvers that listen on the loopback keep the name servers that they ask themselves. */
const BEHIND_LOOPBACK = [
  '/run/systemd/resolve/resolv.conf',
  '/run/NetworkManager/no-stub-resolv.conf',
  '/run/dnsmasq/resolv.conf',
];

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? '';

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    throw error;
  }
}

/** Those that the pods' settings name. */
export function nodeFilesOf({ settings, dataDir }: PodsOptions): NodeFiles {
  const seccompDir = join(dataDir, 'seccomp');
  return openNodeFiles({ resolvConf: settings?.resolvConf ?? '', seccompDir });
}

export function openNodeFiles(options: NodeFilesOptions): NodeFiles {
  return {
    async resolvConf() {
      if (options.resolvConf !== '') return textOf(options.resolvConf);
      const own = await textOf(RESOLV_CONF);
      if (!isLoopbackOnly(parseResolvConf(own))) return own;
      for (const path of BEHIND_LOOPBACK) {
        const found = await textOf(path);
        const settings = parseResolvConf(found);
        if (settings.nameservers.length > 0 && !isLoopbackOnly(settings)) return found;
      }
      return own;
    },
    hosts: () => textOf(HOSTS),
    async seccompProfile(name) {
      const path = join(options.seccompDir, name);
      try {
        return await readFile(path, 'utf8');
      } catch (error) {
        const why = codeOf(error) === 'ENOENT' ? 'there is no such file' : codeOf(error);
        const message = `cannot load seccomp profile "${path}": ${why}`;
        throw new RuntimeError('CreateContainerError', message, { cause: error });
      }
    },
  };
}
