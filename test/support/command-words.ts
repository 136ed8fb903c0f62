/** What a program of the tests is asked for on its command line: `--help` shows its usage, and a word that it cannot take ends it with one line and 2. */
import { parseArgs, type ParseArgsConfig } from 'node:util';

type Options = Exclude<ParseArgsConfig['options'], undefined>;
type Values<T extends Options> = ReturnType<typeof parseArgs<{ options: T }>>['values'];

export interface Words<T extends Options> {
  readonly values: Values<T>;
  /** Ends the process with 2. */
  readonly refuse: (message: string) => never;
  /** The whole number given as `--name`; ends the process when it is none. */
  readonly number: (name: keyof T & string, otherwise: number) => number;
}

/** `usage`: ends with a line break. Does not return after `--help`. */
export function wordsOf<const T extends Options>(usage: string, options: T): Words<T> {
  const refuse = (message: string): never => {
    process.stderr.write(`error: ${message}\n${usage}`);
    process.exit(2);
  };
  const values = read(options, refuse);
  if ((values as { help?: boolean }).help === true) {
    process.stdout.write(usage);
    process.exit(0);
  }
  return {
    values,
    refuse,
    number: (name, otherwise) => {
      const given = (values as Readonly<Record<string, string | undefined>>)[name];
      if (given === undefined) return otherwise;
      if (/^\d{1,15}$/.test(given)) return Number(given);
      return refuse(`--${name} ${given}: use a whole number of at most 15 digits`);
    },
  };
}

function read<T extends Options>(options: T, refuse: (message: string) => never): Values<T> {
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean' } } });
    return values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}
