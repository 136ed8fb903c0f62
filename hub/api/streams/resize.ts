/** Sizes of a terminal as Kubernetes' clients send them: `{"Width":80,"Height":24}`. Pure. */

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

const MAX = 0xffff;

function isSide(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX;
}

/** Null for what is no size: it is passed over, as a terminal of a wrong size is better than none. */
export function terminalSize(text: string): TerminalSize | null {
  try {
    const { Width: width, Height: height } = JSON.parse(text) as Record<string, unknown>;
    return isSide(width) && isSide(height) ? { width, height } : null;
  } catch {
    return null;
  }
}
