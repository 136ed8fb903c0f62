/** One log line: `level message key=value …`, values quoted when they need it. Pure. */

export type LogLevel = 'info' | 'warn' | 'error';

/** Without a time, which the adapter may put in front. */
export function logLine(
  level: LogLevel,
  message: string,
  fields: Readonly<Record<string, unknown>> = {},
): string {
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${valueText(value)}`);
  return [level.toUpperCase().padEnd(5), oneLine(message), ...pairs].join(' ');
}

function valueText(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(oneLine(value.message));
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  return typeof value === 'string' && /[\s"=]/.test(text) ? JSON.stringify(text) : oneLine(text);
}

/** Nothing from outside may begin a new line of the log. */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f]+/g, ' ');
}
