//! What there is no probe for.

use sluice_lua::{Engine, Limits, Paths, Script};

use crate::script::{answer, answer_of, with_stack};

#[test]
fn scripts_answer() {
    for (script, wanted) in [
        (
            "local t = {} for i = 1, 3 do t[i] = function() return i end end return t[1]() + t[2]() + t[3]()",
            "6",
        ),
        (
            "local a = 1 local f = function() return a end a = 2 return f()",
            "2",
        ),
        (
            "local a = 1 local function f() a = a + 1 return a end f() return f() + a",
            "6",
        ),
        ("local x = 1 do local x = 2 end return x", "1"),
        (
            "local function f(...) return select('#', ...), ... end return (select(2, f(7, 8)))",
            "7",
        ),
        ("return (function(...) return ... end)(1, 2)", "1"),
        (
            "local s = '' for k, v in pairs({10, 20, x = 1}) do s = s .. k .. v end return s",
            "110220x1",
        ),
        (
            "for i = 1, 3 do for j = 1, 3 do if j == 2 then break end if i == 2 then return i .. j end end end",
            "21",
        ),
        (
            "local t = {} function t.a(x) return x end function t:b(x) return self.a(x) end return t:b(5)",
            "5",
        ),
        ("repeat local x = 1 until x == 1 return 'ok'", "ok"),
        ("local t = {f = {g = {}}} t.f.g.h = 1 return t.f.g.h", "1"),
        (
            "return error ~= nil and pcall(error, {}) and 'no' or 'yes'",
            "yes",
        ),
        ("local ok, e = pcall(error, 'x', 0) return e", "x"),
        (
            "local function f()\nerror('deep', 2)\nend\nlocal ok, e = pcall(function()\nf()\nend) return e",
            "<string>:2: deep",
        ),
        ("return ('x'):rep(3) .. #'abc' .. tostring(-0)", "xxx30"),
        ("return require('os').time() == os.time()", "true"),
        ("return tostring(not_there)", "nil"),
        ("print = nil return tostring(print)", "nil"),
        ("return _G.string == string", "true"),
        ("return (' a b '):gsub('%s', '')", "ab"),
        ("return ('2024-01-02'):match('(%d+)-()') ", "2024"),
        (
            "return ('abc'):find('b', 1, true) .. ('a+b'):find('+', 1, true)",
            "22",
        ),
        ("return -'3' .. ''", "-3"),
        ("return math.modf(3.7) .. math.max(1, 2)", "32"),
    ] {
        assert_eq!(answer(script), wanted, "{script}");
    }
}

#[test]
fn errors_name_script_and_line() {
    for (script, wanted) in [
        (
            "local a\n\nreturn a.b",
            "ERROR <string>:3: attempt to index a non-table object(nil) with key 'b'",
        ),
        (
            "local t = {\n  a = 1\n}\nt.a.b.c = 1",
            "ERROR <string>:4: attempt to index a non-table object(number) with key 'b'",
        ),
        (
            "x = {\n\n}}",
            "SYNTAX <string> line:3(column:2) near '}':   syntax error\n",
        ),
        (
            "error({})",
            "ERROR <string>: an error that is a table, not a text",
        ),
        (
            "goto a do ::a:: end",
            "SYNTAX compile error near line(2) <string>: no visible label 'a' for <goto> at line 1",
        ),
    ] {
        assert_eq!(answer(script), wanted, "{script}");
    }
}

#[test]
fn nothing_is_left_for_the_next_check() {
    with_stack(|| {
        let mut engine = Engine::new(Limits::default());
        answer_of(
            &mut engine,
            b"x = 1 string.upper = nil table = nil math.pi = 3 setmetatable(_G, {__index = {y = 1}})",
        );
        let got = answer_of(
            &mut engine,
            b"return tostring(x) .. tostring(y) .. ('a'):upper() .. type(table) .. math.floor(math.pi * 100)",
        );
        assert_eq!(got, "nilnilAtable314");
    });
}

#[test]
fn what_a_script_may_read_is_found() {
    let reads = |source: &str| Script::parse("s", source.as_bytes()).map(|script| script.reads("obj"));
    let some = |paths: &[(&str, Option<&str>)]| {
        let text = |text: &str| text.as_bytes().into();
        Ok(Paths::Some(
            paths
                .iter()
                .map(|(first, second)| (text(first), second.map(text)))
                .collect(),
        ))
    };
    assert_eq!(reads("return 1"), some(&[]));
    assert_eq!(reads("return obj.status"), some(&[("status", None)]));
    assert_eq!(
        reads("return obj['status'].a.b[1]"),
        some(&[("status", Some("a"))])
    );
    assert_eq!(
        reads("local function f() return obj.a.b end"),
        some(&[("a", Some("b"))])
    );
    assert_eq!(
        reads("for k, v in pairs(obj.status[x]) do end"),
        some(&[("status", None)])
    );
    assert_eq!(
        reads("obj.metadata.labels.x = 1"),
        some(&[("metadata", Some("labels"))])
    );
    assert_eq!(reads("local obj = {} return obj.x"), some(&[]));
    for all in [
        "return f(obj)",
        "local o = obj",
        "return obj[x]",
        "obj = nil",
        "return _G.obj",
        "loadstring('return obj')()",
        "for k in pairs(obj) do end",
    ] {
        assert_eq!(reads(all), Ok(Paths::All), "{all}");
    }
}
