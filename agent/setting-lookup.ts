/** Where a setting is looked up: flags, environment, configuration file, in this order. Pure. */
import { excerpt } from '../protocol/excerpt.js';
import { ConfigError } from './config-error.js';
import { CRASH_LOOP, type ConfigFile } from './config-file.js';
import type { SettingKind } from './setting-kinds.js';
import {
  envName,
  FILE_ONLY,
  flagName,
  SETTINGS,
  type SettingName,
  type SettingValue,
} from './settings.js';

export type FlagName = SettingName | 'podManifestPath' | 'manifestUrl';

export interface ConfigInput {
  readonly flags: Partial<Record<FlagName, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file: { readonly name: string; readonly text: string } | null;
  readonly hostname: string;
  /** Name under which the node joined its hub; wins over the host's name, never contradicted silently. */
  readonly joinedAs: string | null;
}

export interface Found<T> {
  readonly value: T;
  readonly origin: string;
}

/** Older names of settings, as the kubelet kept its own. */
const OTHER_FLAGS: Partial<Record<SettingName, FlagName>> = {
  staticPodPath: 'podManifestPath',
  staticPodURL: 'manifestUrl',
};

/** Looks one setting up in all its places. */
export class Lookup {
  readonly #input: ConfigInput;
  readonly #file: ConfigFile | null;

  constructor(input: ConfigInput, file: ConfigFile | null) {
    this.#input = input;
    this.#file = file;
  }

  find<N extends SettingName>(name: N): Found<SettingValue<N>> | null {
    const written = this.#written(name);
    if (written === null) return null;
    const kind = SETTINGS[name] as unknown as SettingKind<SettingValue<N>>;
    const value = kind.read(written.value);
    if (value !== null) return { value, origin: written.origin };
    const shown =
      typeof written.value === 'object'
        ? ''
        : `"${excerpt(JSON.stringify(written.value).replace(/^"|"$/g, ''))}" is `;
    const why = kind.fault?.(written.value) ?? `not ${kind.expects}`;
    throw new ConfigError(
      `${written.origin}: ${shown === '' ? `expected ${kind.expects}` : `${shown}${why}`}`,
    );
  }

  get<N extends SettingName>(name: N, fallback: SettingValue<N>): SettingValue<N> {
    return this.find(name)?.value ?? fallback;
  }

  /** The kubelet's nested setting stands below another key. */
  #placeOf(name: SettingName, file: ConfigFile): string {
    const own = file.placeOf(name);
    return own === file.name && name === 'maxContainerRestartPeriod'
      ? file.placeOf(CRASH_LOOP)
      : own;
  }

  #written(name: SettingName): Found<unknown> | null {
    const { flags, env } = this.#input;
    const other = OTHER_FLAGS[name];
    if (!FILE_ONLY.has(name)) {
      for (const flag of other === undefined ? [name] : [name, other]) {
        const value = flags[flag];
        if (value !== undefined) return { value, origin: flagName(flag) };
      }
      const value = env[envName(name)];
      if (value !== undefined && value !== '') return { value, origin: envName(name) };
    }
    const file = this.#file;
    if (file?.values.has(name) !== true) return null;
    return { value: file.values.get(name), origin: `${this.#placeOf(name, file)}: ${name}` };
  }
}
