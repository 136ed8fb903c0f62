/** The Secret that a simulated bundle may have; its value says for whom it is, so that what is read can be held against it. Pure. */

export const SECRET = 'db';
export const SECRET_KEY = 'value';
/** In containers. */
export const SECRET_PATH = '/secret';
/** In every value, and nowhere else. */
export const PLAIN = 'Klartext';

export interface Value {
  readonly bundle: string;
  readonly version: number;
  readonly node: string;
}

export function valueOf({ bundle, version, node }: Value): string {
  return `${PLAIN} ${bundle} ${version} ${node}`;
}

/** Null: no value of ours. */
export function readValue(text: string): Value | null {
  const [, bundle = '', version, node = ''] = /^Klartext (\S+) (\d+) (\S+)$/.exec(text) ?? [];
  return version === undefined ? null : { bundle, version: Number(version), node };
}
