/** The node's name: as it joined, as it is set, else the host's. Pure. */
import { excerpt } from '../protocol/excerpt.js';
import { isNodeName } from '../protocol/names.js';
import { ConfigError } from './config-error.js';
import type { ConfigInput, Found } from './setting-lookup.js';

/** @throws ConfigError */
export function nodeName(found: Found<string> | null, input: ConfigInput): string {
  if (input.joinedAs !== null && found && found.value !== input.joinedAs) {
    throw new ConfigError(
      `${found.origin}: this data directory joined as "${input.joinedAs}", not "${excerpt(found.value)}"; ` +
        'leave the name out or use another --data-dir',
    );
  }
  const name = input.joinedAs ?? found?.value ?? nodeNameOf(input.hostname);
  if (!isNodeName(name)) {
    throw new ConfigError(
      `${found?.origin ?? 'host name'}: "${excerpt(name)}" is not a node name: at most 63 of a-z, 0-9 and -, ` +
        'beginning and ending with a letter or digit; pass --node-name',
    );
  }
  return name;
}

/** The host's name up to its first dot, in lower case. */
export function nodeNameOf(hostname: string): string {
  return (hostname.split('.')[0] ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .slice(0, 63);
}
