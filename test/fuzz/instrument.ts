/**
 * Counters into compiled JavaScript: one at the beginning of every function, branch, loop and right side of `&&`, `||`, `??`, and a
 * note of every comparison of two texts that failed, so that a fuzzer sees how far an input came and which word it lacked. Text is
 * only ever inserted, so lines stay what a source map says. Pure.
 */
import ts from 'typescript';

export interface Instrumented {
  readonly code: string;
  /** Counters that were put in: `firstPoint` and the numbers after it. */
  readonly points: number;
}

/** Longer literals are sentences, not words of a format. */
const WORD_LENGTH_MAX = 64;

interface Edit {
  readonly at: number;
  readonly end: number;
  readonly text: string;
  /** At one place what closes comes before what opens. */
  readonly rank: 0 | 1;
}

const LOGICAL = new Set([
  ts.SyntaxKind.AmpersandAmpersandToken,
  ts.SyntaxKind.BarBarToken,
  ts.SyntaxKind.QuestionQuestionToken,
]);

const EQUALITY = new Map([
  [ts.SyntaxKind.EqualsEqualsEqualsToken, ''],
  [ts.SyntaxKind.ExclamationEqualsEqualsToken, '!'],
]);

/** Sides that say nothing about which text was wanted. */
function isDull(node: ts.Expression): boolean {
  if (ts.isTypeOfExpression(node) || ts.isNumericLiteral(node)) return true;
  if (ts.isIdentifier(node) && node.text === 'undefined') return true;
  if (ts.isVoidExpression(node)) return true;
  return [
    ts.SyntaxKind.NullKeyword,
    ts.SyntaxKind.TrueKeyword,
    ts.SyntaxKind.FalseKeyword,
  ].includes(node.kind);
}

class Instrumentor {
  readonly #file: ts.SourceFile;
  readonly #first: number;
  readonly #opens: Edit[] = [];
  readonly #closes: Edit[] = [];
  readonly #words = new Set<string>();
  #points = 0;

  constructor(source: string, firstPoint: number) {
    this.#file = ts.createSourceFile('module.js', source, ts.ScriptTarget.ESNext, true);
    this.#first = firstPoint;
  }

  run(): Instrumented {
    this.#visit(this.#file);
    const edits = [...this.#closes, ...this.#opens].sort((a, b) => a.at - b.at || a.rank - b.rank);
    const { text } = this.#file;
    const pieces = [this.#head()];
    let at = 0;
    for (const edit of edits) {
      pieces.push(text.slice(at, edit.at), edit.text);
      at = edit.end;
    }
    pieces.push(text.slice(at));
    return { code: pieces.join(''), points: this.#points };
  }

  #head(): string {
    const words = JSON.stringify([...this.#words]);
    return `__fuzzModule(${this.#first}, ${this.#points}, ${words});`;
  }

  #hit(): string {
    return `__fuzzHit(${this.#first + this.#points++})`;
  }

  #open(at: number, text: string, end = at): void {
    this.#opens.push({ at, end, text, rank: 1 });
  }

  #close(at: number, text: string): void {
    this.#closes.push({ at, end: at, text, rank: 0 });
  }

  #visit(node: ts.Node): void {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return;
    const after = this.#enter(node);
    ts.forEachChild(node, child => this.#visit(child));
    for (const close of after) close();
  }

  /** What to do once the children are done: what is inside closes first. */
  #enter(node: ts.Node): (() => void)[] {
    if (ts.isStringLiteral(node)) this.#note(node.text);
    if (ts.isIfStatement(node)) return this.#if(node);
    if (ts.isIterationStatement(node, false)) return this.#statement(node.statement);
    if (ts.isConditionalExpression(node)) {
      return [...this.#expression(node.whenTrue), ...this.#expression(node.whenFalse)];
    }
    if (ts.isBinaryExpression(node)) return this.#binary(node);
    if (ts.isCaseOrDefaultClause(node)) {
      const [first] = node.statements;
      if (first !== undefined) this.#open(first.getStart(), `${this.#hit()};`);
      return [];
    }
    if (ts.isCatchClause(node)) return this.#statement(node.block);
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const body = node.body;
      return ts.isBlock(body) ? this.#statement(body) : this.#expression(body);
    }
    return [];
  }

  #note(word: string): void {
    if (word.length > 0 && word.length <= WORD_LENGTH_MAX) this.#words.add(word);
  }

  #if(node: ts.IfStatement): (() => void)[] {
    const { thenStatement, elseStatement } = node;
    const closes = this.#statement(thenStatement);
    if (elseStatement !== undefined) return [...closes, ...this.#statement(elseStatement)];
    const missing = ` else {${this.#hit()};}`;
    return [...closes, () => this.#close(thenStatement.getEnd(), missing)];
  }

  #statement(node: ts.Statement): (() => void)[] {
    const hit = `${this.#hit()};`;
    if (ts.isBlock(node)) {
      this.#open(node.getStart() + 1, hit);
      return [];
    }
    this.#open(node.getStart(), `{${hit}`);
    return [() => this.#close(node.getEnd(), '}')];
  }

  #expression(node: ts.Expression): (() => void)[] {
    this.#open(node.getStart(), `(${this.#hit()},`);
    return [() => this.#close(node.getEnd(), ')')];
  }

  #binary(node: ts.BinaryExpression): (() => void)[] {
    const { left, operatorToken, right } = node;
    if (LOGICAL.has(operatorToken.kind)) return this.#expression(right);
    const sign = EQUALITY.get(operatorToken.kind);
    if (sign === undefined || isDull(left) || isDull(right)) return [];
    this.#open(node.getStart(), `${sign}__fuzzSame(`);
    this.#open(operatorToken.getStart(), ',', operatorToken.getEnd());
    return [() => this.#close(node.getEnd(), ')')];
  }
}

/** Of a compiled ES module. The globals that it calls are those of `coverage.ts`. */
export function instrument(source: string, firstPoint: number): Instrumented {
  return new Instrumentor(source, firstPoint).run();
}
