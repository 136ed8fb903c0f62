/**
 * A disk of which a power cut takes what was not made to last, as POSIX allows it: the bytes of a file last when
 * the file was synced, names last when their directory was. What was not may be there, or not, or in part, each by
 * itself. Stricter than most file systems are, which let the name of a synced file last as well.
 */
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { sha256Hex } from '../../protocol/canonical.js';
import type { FileCall } from './trace.js';

interface Change {
  readonly at: number;
  /** Null: cut at `at`. */
  readonly data: Buffer | null;
}

interface FileNode {
  readonly is: 'file';
  readonly mode: number;
  lasting: Buffer;
  pending: Change[];
}

interface Entry {
  readonly name: string;
  /** Null: the name goes. */
  readonly node: Node | null;
  /** A rename is one change: the former name goes with it. */
  readonly from?: string;
}

interface FolderNode {
  readonly is: 'folder';
  readonly mode: number;
  lasting: Map<string, Node>;
  pending: Entry[];
}

interface LinkNode {
  readonly is: 'link';
  readonly target: string;
}

type Node = FileNode | FolderNode | LinkNode;

/** What of the unsynced is there after the cut. */
export interface Cut {
  readonly name: string;
  readonly keepsName: () => boolean;
  /** The part of a write that is there, 0 to 1; `isLast`: nothing of the file was written after it. */
  readonly keepsData: (isLast: boolean) => number;
}

export const ALL: Cut = { name: 'kept', keepsName: () => true, keepsData: () => 1 };

/** `random`: 0 ≤ x < 1, for those in which each is lost or not by itself. */
export function cutsOf(random: () => number): Cut[] {
  const lottery = { keepsName: () => random() < 0.5, keepsData: () => (random() < 0.5 ? 1 : 0) };
  return [
    ALL,
    { name: 'lost', keepsName: () => false, keepsData: () => 0 },
    { name: 'names only', keepsName: () => true, keepsData: () => 0 },
    { name: 'data only', keepsName: () => false, keepsData: () => 1 },
    { name: 'torn', keepsName: () => true, keepsData: isLast => (isLast ? 0.5 : 1) },
    { name: 'lottery', ...lottery },
    { name: 'lottery again', ...lottery },
  ];
}

/** Content by path; a folder has null, a link its target. */
export type Content = ReadonlyMap<
  string,
  { readonly mode: number; readonly is: Buffer | string | null }
>;

/** Shared memory and sockets are not on the disk; the journal's reserve is room and nothing else. */
const isPassedOver = (path: string) => /-shm$|\.sock$|journal\.reserve-\d$/.test(path);

function readNode(path: string): Node {
  const stat = lstatSync(path);
  const mode = stat.mode & 0o7777;
  if (stat.isSymbolicLink()) return { is: 'link', target: readlinkSync(path) };
  if (!stat.isDirectory()) return { is: 'file', mode, lasting: readFileSync(path), pending: [] };
  const names = readdirSync(path).filter(name => !isPassedOver(name));
  const lasting = new Map(names.map(name => [name, readNode(join(path, name))]));
  return { is: 'folder', mode, lasting, pending: [] };
}

export class Disk {
  readonly #root: FolderNode;

  /** As a folder is now, all of it lasting. */
  constructor(folder: string) {
    const root = readNode(folder);
    if (root.is !== 'folder') throw new Error(`${folder}: not a folder`);
    this.#root = root;
  }

  do(call: FileCall): void {
    const { path } = call;
    if (isPassedOver(path)) return;
    switch (call.is) {
      case 'create': {
        const known = this.#find(path);
        if (known?.is === 'file' && call.truncate) known.pending.push({ at: 0, data: null });
        if (!known)
          this.#name(path, { is: 'file', mode: 0o600, lasting: Buffer.alloc(0), pending: [] });
        return;
      }
      case 'write':
      case 'truncate': {
        const file = this.#find(path);
        // Removed, and still open.
        if (file?.is !== 'file') return;
        const data = call.is === 'write' ? call.data : null;
        file.pending.push({ at: call.is === 'write' ? call.at : call.length, data });
        return;
      }
      case 'sync':
        return this.#sync(path);
      case 'mkdir':
        return this.#name(path, { is: 'folder', mode: 0o755, lasting: new Map(), pending: [] });
      case 'symlink':
        return this.#name(path, { is: 'link', target: call.target });
      case 'remove':
        return this.#name(path, null);
      case 'rename': {
        const node = this.#find(path) ?? null;
        if (dirname(path) === dirname(call.to)) return this.#name(call.to, node, basename(path));
        this.#name(call.to, node);
        return this.#name(path, null);
      }
    }
  }

  /** After a cut at this moment. */
  after(cut: Cut): Content {
    const content = new Map<string, { mode: number; is: Buffer | string | null }>();
    const walk = (folder: FolderNode, at: string) => {
      for (const [name, node] of namesOf(folder, cut)) {
        const path = join(at, name);
        if (node.is === 'link') content.set(path, { mode: 0o777, is: node.target });
        else if (node.is === 'file') content.set(path, { mode: node.mode, is: bytesOf(node, cut) });
        else {
          content.set(path, { mode: node.mode, is: null });
          walk(node, path);
        }
      }
    };
    walk(this.#root, '');
    return content;
  }

  #folder(path: string): FolderNode {
    const node = path === '' || path === '.' ? this.#root : this.#find(path);
    if (node?.is !== 'folder') throw new Error(`${path} is no folder`);
    return node;
  }

  #find(path: string): Node | undefined {
    const folder = dirname(path) === '.' ? this.#root : this.#find(dirname(path));
    return folder?.is === 'folder' ? namesOf(folder, ALL).get(basename(path)) : undefined;
  }

  #name(path: string, node: Node | null, from?: string): void {
    const entry = { name: basename(path), node, ...(from === undefined ? {} : { from }) };
    this.#folder(dirname(path)).pending.push(entry);
  }

  #sync(path: string): void {
    const node = path === '' ? this.#root : this.#find(path);
    if (node?.is === 'file') {
      node.lasting = bytesOf(node, ALL);
      node.pending = [];
    } else if (node?.is === 'folder') {
      node.lasting = namesOf(node, ALL);
      node.pending = [];
    }
  }
}

function namesOf(folder: FolderNode, cut: Cut): Map<string, Node> {
  if (folder.pending.length === 0) return folder.lasting;
  const names = new Map(folder.lasting);
  for (const { name, node, from } of folder.pending) {
    if (!cut.keepsName()) continue;
    if (from !== undefined) names.delete(from);
    if (node === null) names.delete(name);
    else names.set(name, node);
  }
  return names;
}

function bytesOf({ lasting, pending }: FileNode, cut: Cut): Buffer {
  let bytes = lasting;
  pending.forEach(({ at, data }, i) => {
    const kept = cut.keepsData(i === pending.length - 1);
    if (kept === 0) return;
    if (data === null) {
      const cutOff = Buffer.alloc(at);
      bytes.copy(cutOff, 0, 0, Math.min(at, bytes.byteLength));
      bytes = cutOff;
      return;
    }
    const part = data.subarray(0, Math.ceil(data.byteLength * kept));
    const grown = Buffer.alloc(Math.max(bytes.byteLength, at + part.byteLength));
    bytes.copy(grown);
    part.copy(grown, at);
    bytes = grown;
  });
  return bytes;
}

/** The same content, the same text. */
export function digestOf(content: Content): string {
  const lines = [...content].map(([path, { is }]) => {
    const what = is === null ? 'folder' : typeof is === 'string' ? `link ${is}` : sha256Hex(is);
    return `${path} ${what}`;
  });
  return sha256Hex(lines.sort().join('\n'));
}

/** `folder` must be there and empty. */
export function writeContent(folder: string, content: Content): void {
  for (const [path, { mode, is }] of content) {
    const target = join(folder, path);
    if (is === null) mkdirSync(target, { mode });
    else if (typeof is === 'string') symlinkSync(is, target);
    else writeFileSync(target, is, { mode });
  }
}
