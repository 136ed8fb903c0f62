/**
 * How long the link may be silent before the node asks the broker whether it is there: as long as the path is known to hold. It grows a
 * step at a time while answers come, falls back when a connection died in silence, and is remembered for each broker. NATs and load
 * balancers forget a connection that is silent, after a minute or after hours (RFC 5382, REQ-5 asks for two), and tell nobody. Pure.
 */

/** Seconds. The first is for paths that do not even hold what is begun with. */
export const STEPS_S = [30, 60, 90, 120, 180, 240, 300, 480, 720, 1200] as const;
/** What nearly every path holds. */
export const SAFE_S = 60;
/** AWS IoT Core takes no more, and Azure's load balancers none that is longer than half an hour. */
export const MOST_S = 1200;
/** In which a node that vanished is noticed: half as long again (MQTT 3.1.1, 3.1.2.10). */
export const DEFAULT_MOST_S = 300;

/** Answers after so much silence, in a row, prove it. */
const PROOF = 3;
/** What failed twice in a row is tried again after so many answers below it, twice as many each time that it fails again. */
const PATIENCE = 500;
const PATIENCE_MOST = 8_000;
/** A silence counts for a step if it comes this near to it: clocks and senders are not exact. */
const NEARLY = 0.9;

/** Of one broker. */
export interface KeepAliveMemory {
  /** The longest silence, in seconds, that the path was seen to hold. */
  readonly holdsS: number;
  /** The step that failed last and has not held since; null: none. */
  readonly failedS: number | null;
  /** How often in a row. */
  readonly times: number;
}

export const UNKNOWN_PATH: KeepAliveMemory = { holdsS: SAFE_S, failedS: null, times: 0 };

/** Of one connection. */
export interface KeepAlive {
  readonly memory: KeepAliveMemory;
  /** The silence after which the broker is asked. */
  readonly intervalS: number;
  /** Answers after that silence, in a row. */
  readonly answers: number;
}

/** `mostS`: what was announced to the broker. */
export function begunKeepAlive(memory: KeepAliveMemory, mostS: number): KeepAlive {
  return { memory, intervalS: Math.min(memory.holdsS, mostS), answers: 0 };
}

/** An answer came after `silentS` in which nothing crossed the link in either direction. */
export function answered(before: KeepAlive, silentS: number, mostS: number): KeepAlive {
  const { intervalS, memory } = before;
  if (silentS < intervalS * NEARLY) return before;
  const answers = before.answers + 1;
  if (answers < PROOF) return { ...before, answers };
  const isMended = memory.failedS !== null && intervalS >= memory.failedS;
  const proven: KeepAliveMemory = {
    holdsS: Math.max(memory.holdsS, intervalS),
    ...(isMended ? { failedS: null, times: 0 } : { failedS: memory.failedS, times: memory.times }),
  };
  const next = Math.min(stepAbove(intervalS), mostS);
  const stays = next <= intervalS || answers < patienceFor(proven, next);
  if (stays) return { memory: proven, intervalS, answers };
  return { memory: proven, intervalS: next, answers: 0 };
}

/** The connection ended without an answer to what was said after `silentS` of silence. */
export function diedInSilence(memory: KeepAliveMemory, silentS: number): KeepAliveMemory {
  const step = STEPS_S.findLast(one => one * NEARLY <= silentS);
  // The path holds longer: it was something else that killed it, and says nothing of what comes after.
  if (step === undefined || step < memory.holdsS) return memory;
  // It fails below what failed before: another path, of which nothing is known.
  const isOther = memory.failedS !== null && step < memory.failedS;
  const holdsS = Math.min(memory.holdsS, stepBelow(step), isOther ? SAFE_S : MOST_S);
  return { holdsS, failedS: step, times: memory.failedS === step ? memory.times + 1 : 1 };
}

/**
 * The other end closed the connection after `silentS` in which nothing crossed it, before it was asked: a load balancer with an idle timeout,
 * a broker that allows less than was announced and has no word for it in MQTT 3.1.1, or one that starts anew, which costs a step for as long
 * as three answers take. What failed is the first step that is no shorter than that silence, and none that is longer than the interval.
 */
export function closedInSilence(
  { memory, intervalS }: KeepAlive,
  silentS: number,
): KeepAliveMemory {
  if (silentS < STEPS_S[0] * NEARLY) return memory;
  const tried = STEPS_S.findLast(step => step <= intervalS) ?? STEPS_S[0];
  const failedS = Math.min(STEPS_S.find(step => step >= silentS) ?? MOST_S, tried);
  const times = memory.failedS === failedS ? memory.times + 1 : 1;
  // The path was seen to hold longer: once it may have been a broker that started anew, in a row it is a limit that is new.
  const isProven = failedS < memory.holdsS && times < 2;
  const holdsS = isProven ? memory.holdsS : Math.min(memory.holdsS, stepBelow(failedS));
  return { holdsS, failedS, times };
}

/** The broker refused a CONNECT, maybe for what it announced: what to announce next. Null: it is something else that it refuses. */
export function announcedLess(announcedS: number): number | null {
  return announcedS > STEPS_S[0] ? stepBelow(announcedS) : null;
}

function patienceFor({ failedS, times }: KeepAliveMemory, next: number): number {
  if (failedS === null || next < failedS || times < 2) return PROOF;
  return Math.min(PATIENCE_MOST, PATIENCE * 2 ** (times - 2));
}

function stepAbove(seconds: number): number {
  return STEPS_S.find(step => step > seconds) ?? MOST_S;
}

function stepBelow(seconds: number): number {
  return STEPS_S.findLast(step => step < seconds) ?? STEPS_S[0];
}

/** By broker, as `JSON.stringify` wrote it; what does not read is a path that nobody knows. */
export function readMemories(text: string | null): Map<string, KeepAliveMemory> {
  const isSound = (entry: [string, unknown]): entry is [string, KeepAliveMemory] => {
    const { holdsS, failedS, times } = (entry[1] ?? {}) as Partial<KeepAliveMemory>;
    const isSilence = (one: unknown) =>
      typeof one === 'number' && one >= STEPS_S[0] && one <= MOST_S;
    const isFailure = failedS === null || isSilence(failedS);
    return isSilence(holdsS) && isFailure && Number.isSafeInteger(times);
  };
  try {
    return new Map(Object.entries(JSON.parse(text ?? '{}') as object).filter(isSound));
  } catch {
    return new Map();
  }
}
