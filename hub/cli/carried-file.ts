/** Files of messages on a stick, as the operator's commands write and read them. */
import {
  createReadStream,
  fsyncSync,
  openSync,
  closeSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { cannotWrite, CliError } from '../../protocol/cli-error.js';
import {
  CarriedError,
  packCarried,
  readCarried,
  type CarriedImages,
  type CarriedMessage,
} from '../../protocol/carried.js';
import { topicsOf } from '../../protocol/topics.js';

export interface CarriedContent {
  readonly fleet: string;
  readonly messages: readonly CarriedMessage[];
  readonly images?: CarriedImages | undefined;
}

/** Whole or not at all, and on the disk when it returns: a stick is pulled out at once. Gives the bytes. */
export async function writeCarried(path: string, content: CarriedContent): Promise<number> {
  const draft = `${path}.part`;
  try {
    const file = openSync(draft, 'w', 0o600);
    try {
      for await (const chunk of packCarried(topicsOf(content.fleet), content)) {
        for (let at = 0; at < chunk.length;) at += writeSync(file, chunk, at);
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
    return statSync(path).size;
  } catch (error) {
    rmSync(draft, { force: true });
    throw cannotWrite(path, error);
  }
}

/** Of a receipt: messages alone, with the whole topic. Throws `CliError`. */
export async function readReceipt(path: string): Promise<CarriedContent> {
  const messages: CarriedMessage[] = [];
  let fleet = '';
  try {
    for await (const entry of readCarried(createReadStream(path))) {
      if (entry.is === 'mark') ({ fleet } = entry);
      if (entry.is !== 'message') continue;
      messages.push({ topic: topicsOf(fleet).prefix + entry.topic, payload: entry.payload });
    }
  } catch (error) {
    if (error instanceof CarriedError) throw new CliError('refused', `${path}: ${error.message}`);
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CliError(
      'refused',
      `${path}: ${code === 'ENOENT' ? 'there is no such file' : (code ?? message)}`,
    );
  }
  return { fleet, messages };
}
