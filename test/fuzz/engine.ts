/**
 * The loop: an input of the corpus is changed, run, judged, and kept where it passed points that none before it passed, or passed
 * them in another number. The seed decides every choice, so that the same runs happen again.
 */
import { comparedPairs, Seen, wordsOf } from './coverage.js';
import { hiddenPollution, judge, type Finding } from './judge.js';
import { inflated, mutatedBytes, withPair, type Material } from './mutate-bytes.js';
import { mutatedJson } from './mutate-json.js';
import { seededRandom, type Random } from './random.js';
import type { Stage, Target } from './target.js';

export interface FuzzOptions {
  readonly seed: number;
  readonly runs: number;
  /** True when it is to end before its runs are done. */
  readonly isOver: () => boolean;
  /** Told of each input before it runs, so that one that never ends is known. */
  readonly onInput: (input: Buffer) => void;
}

export interface Found extends Finding {
  readonly input: Buffer;
}

export interface Report {
  readonly target: string;
  readonly runs: number;
  readonly seconds: number;
  readonly corpus: number;
  readonly edges: number;
  readonly stages: Readonly<Record<Stage, number>>;
  readonly findings: readonly Found[];
}

interface Entry {
  readonly input: Buffer;
  picked: number;
  /** Of its last run that was looked at: what it lacked. */
  readonly pairs: readonly (readonly [string, string])[];
}

/** Different findings of one target; more say nothing new. */
const FINDINGS_MAX = 8;
/** Runs that may be spent on making a finding small. */
const SHRINK_RUNS = 600;
const INFLATED_BYTES_MAX = 128 * 1024;
const INFLATED_ONE_IN = 400;
const HIDDEN_EVERY = 1000;

export class Fuzzer {
  readonly #target: Target;
  readonly #options: FuzzOptions;
  readonly #random: Random;
  readonly #seen = new Seen();
  readonly #corpus: Entry[] = [];
  readonly #found = new Map<string, Found>();
  readonly #stages: Record<Stage, number> = { refused: 0, parsed: 0, accepted: 0 };
  readonly #bytesMax: number;
  #words: readonly Buffer[] = [];
  #runs = 0;

  constructor(target: Target, options: FuzzOptions) {
    this.#target = target;
    this.#options = options;
    this.#random = seededRandom(options.seed, target.name);
    const largest = Math.max(64, ...target.seeds.map(seed => seed.length));
    this.#bytesMax = target.bytesMax ?? 2 * largest;
  }

  async run(): Promise<Report> {
    const begin = performance.now();
    for (const seed of this.#target.seeds) await this.#try(Buffer.from(seed), true);
    if (this.#corpus.length === 0) this.#keep(Buffer.alloc(0));
    this.#learnWords();
    const { runs, isOver } = this.#options;
    while (this.#runs < runs && !isOver()) {
      await this.#try(this.#next(), false);
      if (this.#runs % HIDDEN_EVERY === 0) this.#note(hiddenPollution(), Buffer.alloc(0));
    }
    return {
      target: this.#target.name,
      runs: this.#runs,
      seconds: (performance.now() - begin) / 1000,
      corpus: this.#corpus.length,
      edges: this.#seen.points,
      stages: this.#stages,
      findings: [...this.#found.values()],
    };
  }

  #learnWords(): void {
    const words = [...(this.#target.words ?? []), ...wordsOf(this.#seen)];
    this.#words = words.map(word => Buffer.from(word));
  }

  #keep(input: Buffer): void {
    this.#corpus.push({ input, picked: 0, pairs: [...comparedPairs()] });
  }

  async #try(input: Buffer, isSeed: boolean): Promise<void> {
    this.#options.onInput(input);
    this.#runs += 1;
    const { outcome, finding } = await judge(this.#target, input, () => {
      const isKept = this.#seen.take() > 0 && (isSeed || input.length <= this.#bytesMax);
      if (isKept) this.#keep(Buffer.from(input));
    });
    this.#stages[outcome.stage] += 1;
    if (finding !== null) await this.#noteSmall(finding, input);
  }

  #note(finding: Finding | null, input: Buffer): void {
    if (finding === null || this.#found.size >= FINDINGS_MAX) return;
    this.#found.set(finding.signature, { ...finding, input });
  }

  async #noteSmall(finding: Finding, input: Buffer): Promise<void> {
    if (this.#found.has(finding.signature) || this.#found.size >= FINDINGS_MAX) return;
    this.#note(finding, await this.#smaller(finding, Buffer.from(input)));
  }

  /** Cuts pieces out, large ones first, as long as it stays the same finding. */
  async #smaller(finding: Finding, input: Buffer): Promise<Buffer> {
    let small = input;
    // Each run of a slow one is slow.
    let left = finding.kind === 'hang' || finding.kind === 'memory' ? 12 : SHRINK_RUNS;
    for (let step = Math.ceil(input.length / 2); step > 0 && left > 0; step = step >> 1) {
      for (let at = 0; at < small.length && left > 0; left -= 1) {
        const cut = Buffer.concat([small.subarray(0, at), small.subarray(at + step)]);
        this.#options.onInput(cut);
        const again = await judge(this.#target, cut, () => undefined);
        if (again.finding?.signature === finding.signature) small = cut;
        else at += step;
      }
    }
    return small;
  }

  /** Of three, the one that was picked least: new inputs get their turn at once. */
  #pick(): Entry {
    const three = [0, 1, 2].map(() => this.#random.pick(this.#corpus));
    const entry = three.reduce((a, b) => (b.picked < a.picked ? b : a));
    entry.picked += 1;
    return entry;
  }

  #next(): Buffer {
    const random = this.#random;
    const entry = this.#pick();
    const { input } = entry;
    if (random.below(INFLATED_ONE_IN) === 0) return inflated(input, random, INFLATED_BYTES_MAX);
    if (entry.pairs.length > 0 && random.below(5) === 0) {
      const repaired = withPair(input, random.pick(entry.pairs), random);
      if (repaired !== null) return repaired;
    }
    const material: Material = {
      random,
      words: this.#words,
      other: random.pick(this.#corpus).input,
    };
    const { form } = this.#target;
    const isStructured = (form === 'json' || form === 'canonical') && random.below(8) > 0;
    const json = isStructured ? mutatedJson(input, material, form === 'canonical') : null;
    return json ?? mutatedBytes(input, material);
  }
}
