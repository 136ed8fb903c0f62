/** Files with variables that one container writes for another (row 148). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EnvFileError, envFileValue } from '../../../agent/pods/env-file.js';

const values: readonly [string, string, string | null][] = [
  ['a quoted value', "A='x'\n", 'x'],
  ['no line end at the end', "A='x'", 'x'],
  ['an empty value', "A=''\n", ''],
  ['nothing is special inside the quotes', 'A=\'$B \\n "c" # d\'\n', '$B \\n "c" # d'],
  ['several lines', "A='one\n  two\n\n# three'\n", 'one\n  two\n\n# three'],
  ['the other system’s line ends', "A='x'\r\nB='y'\r\n", 'x'],
  ['blanks before the name', " \tA='x'\n", 'x'],
  ['a comment behind the value', "A='x' # why\n", 'x'],
  ['comments and empty lines before', "# A='no'\n\n   \nA='x'\n", 'x'],
  ['the first of two', "A='x'\nA='y'\n", 'x'],
  ['a blank behind the equals sign leaves it empty, as in a shell', "A= 'x'\n", ''],
  ['another variable’s blank is passed over', "B= 'x'\nA='y'\n", 'y'],
  ['an equals sign in the value', "A='b=c'\n", 'b=c'],
  ['what stands behind the variable is not looked at', "A='x'\n=broken\n", 'x'],
  ['no such name', "B='x'\n", null],
  ['an empty file', '', null],
];

const broken: readonly [string, string, string][] = [
  ['a line without an equals sign', "export\nA='x'", "line 1: missing '='"],
  ['a value without quotes', '\nA=x\n', 'line 2: value must be enclosed in single quotes'],
  ['double quotes', 'A="x"\n', 'line 1: value must be enclosed in single quotes'],
  ['no value at all', 'A=\n', 'line 1: value must be enclosed in single quotes'],
  ['an empty name', "='x'\n", 'line 1: empty variable name'],
  ['a blank before the equals sign', "A ='x'\n", "line 1: whitespace before '=' is not allowed"],
  ['an open quote', "B='1'\nA='x\ny\n", 'line 2: unclosed single quote'],
  ['text behind the quote', "A='x'y\n", 'line 1: unexpected content after closing quote'],
  ['text behind the last line', "A='x\ny'z\n", 'line 2: unexpected content after closing quote'],
];

describe('row 148: the value of A in an env file', () => {
  for (const [says, content, wanted] of values) {
    test(says, () => {
      assert.equal(envFileValue(content, 'A'), wanted);
    });
  }
  for (const [says, content, wanted] of broken) {
    test(`is an error: ${says}`, () => {
      assert.throws(
        () => envFileValue(content, 'A'),
        (error: unknown) =>
          error instanceof EnvFileError &&
          error.message === `invalid environment variable format at ${wanted}`,
      );
    });
  }
});
