package main

import (
	"fmt"
	"strings"
)

// Probes that are made: every operator with every kind of operand, every function with every kind of argument, and scripts that
// lack a word.
func generate(put func(string)) {
	operators(put)
	numbers(put)
	formats(put)
	patterns(put)
	texts(put)
	tables(put)
	arguments(put)
	fragments(put)
}

func words(text string) []string { return strings.Fields(text) }

func operators(put func(string)) {
	values := []string{"nil", "false", "2", "-7.5", "'a'", "'10'", "{}", "print"}
	for _, operator := range words("+ - * / % ^ .. == ~= < <= > >= and or") {
		for _, left := range values {
			for _, right := range values {
				put(fmt.Sprintf("= %s %s %s", left, operator, right))
			}
		}
	}
	for _, operator := range words("- not #") {
		for _, value := range append(values, "'0x1F'", "' 3 '", "'1e3'", "''", "-0", "'-5'", "'a\\0b'", "{1, nil, 3}", "{n = 1}") {
			put(fmt.Sprintf("= %s (%s)", operator, value))
		}
	}
	// As variables, so that nothing is reckoned while it is compiled.
	limits := []string{"0", "-0", "1", "-1", "3", "-3", "0.5", "-5.3", "1e15", "2^53", "1e300", "1/0", "-1/0", "0/0"}
	for _, operator := range words("/ % ^ < ==") {
		for _, left := range limits {
			for _, right := range limits {
				if operator == "^" {
					// As far as two libraries agree.
					put(fmt.Sprintf("local a, b = %s, %s return ('%%.12g'):format(a ^ b)", left, right))
				} else {
					put(fmt.Sprintf("local a, b = %s, %s return a %s b", left, right, operator))
				}
			}
		}
	}
	for _, text := range numerals {
		put(fmt.Sprintf("= '%s' + 1", text))
	}
	chain := words("or and < .. + * ^")
	for _, first := range chain {
		for _, second := range chain {
			put(fmt.Sprintf("= 2 %s 3 %s 4", first, second))
			put(fmt.Sprintf("= -2 %s not 3 %s -4", first, second))
		}
	}
}

// What may or may not be a number.
var numerals = []string{
	"0", "-0", "7", "+7", "007", "08", " 7", "7 ", "\\t7\\n", "\\r7", "1.5", ".5", "5.", ".", "-.5", "1e5", "1E5", "1e+5", "1.5e3", "1.e3", "e5", "0x10", "0X1f", "0xg",
	"0x", "-0x10", "+0x10", "0x1.8", "0x1p4", "0b11", "0o17", "0b2", "1_000", "_1", "1__0", "inf", "Inf", "+Inf", "-inf", "nan", "NaN", "infinity", "", " ", "1 2",
	"1a", "a", "--1", "+-1", "9223372036854775807", "9223372036854775808", "18446744073709551615", "0x7fffffffffffffff", "0xffffffffffffffff", "1e308", "1.0e309", "1e-400",
	"123456789012345678901234567890", "0.1", "3.14159265358979", "1,5",
}

func numbers(put func(string)) {
	written := words(`0 1 12 1.5 0.1 0.5 1e1 1e5 1e14 1e15 1e16 1e17 1e18 1e19 1e20 1e21 1e22 1e100 1e-1 1e-4 1e-5 1e-7 1.5e-7 123456.789 1234567.125
		12345678.5 123456789.25 1e15+0.5 2^52+0.5 2^31 2^32 2^53 2^53+1 2^62 2^63 -2^63 2^64 1/3 2/3 -1/3 100/3 1e300*10 1e308*10 -1e308*10 0/0 5e-324 2.2250738585072014e-308
		1.7976931348623157e308 0x0 0x10 0xff 0XAB 0xffffffff 0x7fffffffffffffff 0xffffffffffffffff 9007199254740993 9223372036854775807 9223372036854775808
		99999999999999999999 .5 5. 0.0 -0.0 3.0 1E3 1e+3 1e-3 007 08 08.5 3.14159265358979`)
	for _, number := range written {
		put("= " + number)
		put(fmt.Sprintf("= tostring(%s) .. '|' .. %s", number, "-("+number+")"))
		for _, function := range words("floor ceil abs modf sqrt frexp") {
			put(fmt.Sprintf("= math.%s(%s)", function, number))
			put(fmt.Sprintf("= math.%s(-(%s))", function, number))
		}
	}
	for _, text := range []string{"1e", "1e+", "0x", "0xg", "1a", "1.2.3", "0x1.8", "1..2", "1.e", "0b1", "1_0", "3x", "0x1p4", "1e5x", "..5", "5.e2", "1 .. 2"} {
		put("= " + text)
	}
	for _, text := range numerals {
		put(fmt.Sprintf("= tonumber('%s')", text))
		put(fmt.Sprintf("= tonumber('%s', 10)", text))
		put(fmt.Sprintf("= tonumber('%s', 16)", text))
	}
	for _, base := range words("0 1 2 8 16 36 37 -1 2.5 '10' nil 'x'") {
		for _, text := range words("'0' '10' '-10' '+1' '12' '77' 'ff' 'FF' '0xff' 'zz' '1.1' '' 10 1.5 nil") {
			put(fmt.Sprintf("= tonumber(%s, %s)", text, base))
		}
	}
	for _, value := range words("nil true {} print 1 '1'") {
		put(fmt.Sprintf("= tonumber(%s)", value))
		put(fmt.Sprintf("= type(tostring(%s)), type(%s)", value, value))
	}
	for _, function := range words("acos asin atan ceil cos cosh deg exp floor log log10 rad sin sinh sqrt tan tanh") {
		for _, number := range words("0 1 -1 0.5 2 100") {
			// As far as two libraries agree.
			put(fmt.Sprintf("= ('%%.10g'):format(math.%s(%s))", function, number))
		}
	}
	for _, function := range words("atan2 fmod mod pow max min ldexp") {
		for _, pair := range []string{"5, 3", "-5, 3", "5, -3", "-5, -3", "5.5, 2", "1, 0", "0, 1", "1/0, 3", "3, 1/0", "0/0, 1", "1, 0/0", "'5', '3'", "2, 10", "2, 0.5", "-8, 1/3"} {
			put(fmt.Sprintf("= ('%%.10g'):format(math.%s(%s))", function, pair))
		}
	}
}

func formats(put func(string)) {
	flags := []string{"", "5", "-5", "05", "+", " ", "#", ".2", "8.3", "-8.3", "+08.2", ".0", "+-6", "0-6", "."}
	values := []string{"0", "3.7", "-42", "255", "1e20", "'ab'", "'12'", "nil"}
	for _, verb := range words("d u c x o e f g q s i X E G") {
		if verb == "i" {
			flags = []string{"", "+08.2"}
		}
		for _, flag := range flags {
			for _, value := range values {
				put(fmt.Sprintf("= string.format('<%%%s%s>', %s)", flag, verb, value))
			}
		}
	}
	for _, verb := range words("a b t v U F z") {
		for _, value := range []string{"65", "1.5", "'ab'", "true"} {
			put(fmt.Sprintf("= string.format('%%%s|%%5%s', %s, %s)", verb, verb, value, value))
		}
	}
	for _, verb := range words("d x c e f g q s v t") {
		for _, value := range []string{"1/0", "-1/0", "0/0", "-0", "1e15", "0.1", "1/3", "123456789", "2^63", "-2^63", "2^53", "''", "'é'", "'a\\nb'", "'\\0'", "'\\200'", "true"} {
			put(fmt.Sprintf("= string.format('%%%s|%%.3%s|%%7%s', %s, %s, %s)", verb, verb, verb, value, value, value))
		}
	}
	for _, text := range []string{
		"''", "'%'", "'%%'", "'a%%b'", "'%5%'", "'%%d', 1", "'%d%%', 1", "'%%%d', 1", "'%d %d', 1", "'%s %s', 'a'", "'%d', 1, 2", "'x', 1", "'%', 1", "'%5', 1", "'%-', 1", "'% d', 3",
		"'%s'", "'%q'", "'%y', 1", "'%y'", "'%!', 1", "'%.d', 3", "'%.3d', 7", "'%.5s|', 'abcdefgh'", "'%.0s|', 'abc'", "'%10.2s|', 'abc'", "'%+s', 'a'", "'%05s', 'a'", "'%05s', 42",
		"'%-05d|', 42", "'%+.2e', 12345.678", "'%#x', 255", "'%#X', 255", "'%#o', 8", "'%# x', 255", "'% x', 'abc'", "'%x', 'abc'", "'%X', 'xyz'", "'%#q', 'a`b'", "'%q', 'a`b'", "'%+q', 'é'", "'%c%c%c', 76, 117, 97",
		"'%c', 0", "'%c', 228", "'%c', 8364", "'%c', -1", "'%5c|%-5c|', 65, 66", "'%*d', 5, 42", "'%[2]d %[1]d', 1, 2", "'%[1]d', 7", "'%[3]d', 1", "'%1$d', 7", "'%ld', 3", "'%lu', 3", "'%5.1f|%-8.2f|%08.3f', 3.14159, 2.5, -1.5",
		"'%g %g %g %g', 1e20, 1e21, 1e-4, 1e-5", "'%.3g %.10g %.14g %.17g', 2/3, 2/3, 0.1, 0.1", "'%g', 100000", "'%g', 1000000", "'%g', 1234567", "'%#g', 1", "'%e', 0", "'%.0e', 15", "'%.0f %.0f %.0f', 0.5, 1.5, 2.5",
		"'%f', 1e15", "'%f', 1e22", "'%.20f', 0.1", "'%.15f', 1/3", "'%5.3d', 7", "'%+.3d', 7", "'%x', -255", "'%o', -8", "'%x', 3.9", "'%X', 2^40", "'%d', '0x10'", "'%d', 'abc'", "'%d', ' 5 '", "'%5d|', '7'",
		"'%s|%s|%s', 1, 1.5, 'x'", "'%s', true", "'%10s|%-10s|', true, false", "'%10s|', nil", "'%s %d', nil, 5", "'%d', true", "'%d', nil", "'%5d|', true", "'%f', 'x'", "'%f', '1.5'", "'%e', true", "'%g', nil", "'%x', true",
		"'%c', 'a'", "'%c', true", "'%q', 1", "'%q', 1.5", "'%q', true", "'%q', nil", "'%v %v', 1, 'a'", "'%v', 1.5", "'%v', true", "'%v', nil", "'%t', true", "'%U', 65", "'%b', 5", "5", "5, 1", "nil", "{}",
		"'%s', setmetatable({}, {__tostring = function() return 'T' end})", "'%3d|%-3d|%03d', 12345, 12345, 12345", "'%.3f', '2'", "'%5s', 1.25", "'%08.3f', 3.14159", "'%+05d', 42", "'%+5d', -42", "'% 5d', 42", "'%99d', 1", "'%.99f', 1",
	} {
		put(fmt.Sprintf("= string.format(%s)", text))
	}
}

func patterns(put func(string)) {
	patterns := []string{
		"", "a", "l", "lo", "x", ".", "..", ".*", ".+", ".-", ".?", "l*", "l+", "l-", "l?", "l+o", "l-o", "h.-l", "^h", "^l", "^", "$", "o$", "d$", "^.*$", "^$", "^^h", "h$e", "$h", "a^", "%a", "%a+", "%A", "%d", "%d+", "%D+", "%l+", "%u", "%s", "%S+",
		"%w+", "%W", "%p", "%c", "%x+", "%z", "%.", "%%", "%$", "%^", "%-", "%]", "%q", "[el]", "[^el]", "[a-f]+", "[a-]", "[-a]", "[%a]+", "[%d%s]", "[^%w]", "[]]", "[^]]", "[%]]", "[a-c-e]", "[.]", "[*+]", "[%%]", "[^a-z ]+", "[%a-z]", "[z-a]", "[a%-z]",
		"(l)", "(l+)(o)", "()", "()l()", "(h)(e)(l)", "((l)(l))", "(.-)%s", "(%w+) (%w+)", "(.)%1", "(.)(.)%2%1", "(l)%1", "%1", "(%1)", "%0", "%2", "(l", "l)", "((l)", "(l))", "[l", "[", "[^", "[]", "[a-", "%", "l%", "[%", "%b()", "%bxy", "%b", "%bx", "%f[%w]",
		"%f[%w]%w+", "%f", "*", "+", "?", "-", "*l", "+l", "l**", "l++", "(l)*", "(l)+", "%a*%d*", "l%+", "(.*)(.*)", "(.-)(.*)", "(.-)l(.-)$", "()$", "^()", "[^\\n]*", "\\0", "é", "[é]",
	}
	subjects := []string{"", "hello world", "a(b(c)d)e", "x = 10, y_2=-3.5", "ll]-^$%.+", "THX 1138\\n\\ttab", "é\\0ü"}
	for _, pattern := range patterns {
		for _, subject := range subjects {
			put(fmt.Sprintf("= ('%s'):find('%s')", subject, pattern))
		}
		for _, subject := range subjects[1:3] {
			put(fmt.Sprintf("= ('%s'):match('%s')", subject, pattern))
			put(fmt.Sprintf("= ('%s'):gsub('%s', '<%%0>')", subject, pattern))
			put(fmt.Sprintf("local s = '' for a, b in ('%s'):gmatch('%s') do s = s .. '<' .. tostring(a) .. ',' .. tostring(b) .. '>' end return s", subject, pattern))
		}
	}
	replacements := []string{
		"''", "'-'", "'%0'", "'%1'", "'%2'", "'%3'", "'%9'", "'%%'", "'%'", "'a%'", "'%a'", "'%%1'", "'%1%0%1'", "'%-'", "5", "1.5", "nil", "true", "{}", "{l = 'L'}", "{l = 5}", "{l = false}", "{l = true}", "{l = {}}", "{'first'}", "print", "function() end", "function() return nil end", "function() return false end",
		"function() return true end", "function() return {} end", "function(a) return a .. a end", "function(a, b) return b end", "function() return 7 end", "string.upper", "setmetatable({}, {__index = function(_, k) return k:upper() end})", "function(...) return select('#', ...) end",
	}
	for _, by := range replacements {
		for _, pattern := range []string{"l", "(l)", "(l)(.)", "()l", "x", "", "$", "^h"} {
			put(fmt.Sprintf("= ('hello'):gsub('%s', %s)", pattern, by))
		}
	}
	for _, most := range words("0 1 2 3 -1 -2 100 1.5 '2' nil 'x' true") {
		put(fmt.Sprintf("= ('hello'):gsub('l', 'L', %s)", most))
		put(fmt.Sprintf("= ('hello'):gsub('', '.', %s)", most))
	}
	for _, subject := range []string{"''", "'hello'", "'a.b'"} {
		for _, pattern := range []string{"''", "'l'", "'.'", "'%w'", "'()'"} {
			for _, start := range words("0 1 2 3 5 6 7 -1 -2 -5 -6 2.7 '2' nil") {
				put(fmt.Sprintf("= string.find(%s, %s, %s)", subject, pattern, start))
				put(fmt.Sprintf("= string.match(%s, %s, %s)", subject, pattern, start))
			}
			for _, plain := range words("true false nil 0") {
				put(fmt.Sprintf("= string.find(%s, %s, 1, %s)", subject, pattern, plain))
				put(fmt.Sprintf("= string.find(%s, %s, -2, %s)", subject, pattern, plain))
			}
		}
	}
}

func texts(put func(string)) {
	places := words("-7 -5 -2 0 1 2 5 6 -2.7 '2' nil")
	for _, first := range places {
		for _, last := range places {
			put(fmt.Sprintf("= ('hello'):sub(%s, %s)", first, last))
			put(fmt.Sprintf("= ('hello'):byte(%s, %s)", first, last))
		}
		put(fmt.Sprintf("= ('hello'):sub(%s)", first))
		put(fmt.Sprintf("= ('hello'):byte(%s)", first))
		put(fmt.Sprintf("= (''):sub(%s), (''):byte(%s)", first, first))
		put(fmt.Sprintf("= ('ab'):rep(%s)", first))
		put(fmt.Sprintf("= (''):rep(%s)", first))
		put(fmt.Sprintf("= string.char(%s)", first))
		put(fmt.Sprintf("= string.char(72, %s)", first))
	}
	for _, function := range words("len lower upper reverse") {
		for _, text := range []string{"''", "'Hello'", "'äÖß'", "'ǅ'", "'\\200\\0'", "5", "1.5", "-0", "1e20", "nil", "true", "{}", "'İ'", "'ΑΣ'"} {
			put(fmt.Sprintf("= string.%s(%s)", function, text))
		}
	}
	escapes := []string{
		"\\a\\b\\f\\n\\r\\t\\v", "\\\\", "\\'", "\\\"", "\\0", "\\10", "\\065", "\\0651", "\\255", "\\256", "\\300", "\\999", "\\x41", "\\u{41}", "\\z  a", "\\q", "\\.", "\\\n", "a\\\r\nb", "\\", "a\nb", "\r", "\t", "é", "]]", "\\1a", "\\12x",
	}
	for _, escape := range escapes {
		put(fmt.Sprintf("= '%s'", escape))
		put(fmt.Sprintf("= \"%s\"", escape))
		put(fmt.Sprintf("= [[%s]]", escape))
		put(fmt.Sprintf("= [==[%s]==]", escape))
	}
	for _, text := range []string{"[[\nab]]", "[[\n\nab]]", "[[\r\nab]]", "[=[a]]b]=]", "[=[a]==]]=]", "[==[]=]==]", "[[a]", "[=[a]]", "[=a", "[==", "[[", "[=[]=]", "[[]]", "[[]]]", "#[[abc]]", "'a' 'b'", "'a", "\"a", "'a\\", "--[[c]] 1", "--[=[c]]]=] 1", "--[[c] 1", "1 --c", "1 --[c"} {
		put("= " + text)
	}
}

func tables(put func(string)) {
	change := func(how, table string) {
		put(fmt.Sprintf("= (function() local t = %s %s return entries(t) end)()", table, how))
	}
	made := []string{"{}", "{1}", "{1, 2, 3}", "{1, nil, 3}", "{nil, nil, 3}", "{1, 2, nil}", "{'a', 'b', 'c'}", "{1, 'b', true}", "{[1] = 1, [2] = 2}", "{[3] = 3}", "{n = 5}", "{1, 2, x = 3}", "{[1.5] = 1}", "{[0] = 0, 1}", "{[-1] = 0}", "{nil}", "{3, 1, 2}", "{'b', 'a', 1}", "{{}, {}}", "{[2] = 'b', 'x'}", "{'x', [1] = 'y'}", "{1, 2, 3, [5] = 5}"}
	for _, table := range made {
		put(fmt.Sprintf("= #%s, table.getn(%s), table.maxn(%s)", table, table, table))
		put(fmt.Sprintf("= unpack(%s)", table))
		put(fmt.Sprintf("= table.concat(%s, ',')", table))
		put(fmt.Sprintf("= next(%s)", table))
		put(fmt.Sprintf("= entries(%s)", table))
		put(fmt.Sprintf("= (function() local n = 0 for i, v in ipairs(%s) do n = n + i end return n end)()", table))
		change("table.sort(t)", table)
		change("table.sort(t, function(a, b) return tostring(a) > tostring(b) end)", table)
		for _, place := range words("-1 0 1 2 3 4 7 1.5 '2' nil") {
			change(fmt.Sprintf("table.insert(t, %s, 'n')", place), table)
			change(fmt.Sprintf("local r = table.remove(t, %s) t.removed = r", place), table)
		}
		change("table.insert(t, 'n')", table)
		change("table.insert(t, nil)", table)
		change("t[#t + 1] = 'n'", table)
		change("t[2] = nil", table)
		change("t[6] = 'n'", table)
		change("local r = table.remove(t) t.removed = r", table)
		change("table.remove(t) table.remove(t)", table)
	}
	bounds := words("-1 0 1 2 3 4 9 nil '2' 1.5")
	for _, first := range bounds {
		put(fmt.Sprintf("= table.concat({'a', 'b', 'c'}, '-', %s)", first))
		put(fmt.Sprintf("= unpack({'a', 'b', 'c'}, %s)", first))
		put(fmt.Sprintf("= select(%s, 'a', 'b', 'c')", first))
		for _, last := range bounds {
			put(fmt.Sprintf("= table.concat({'a', 'b', 'c'}, '-', %s, %s)", first, last))
			put(fmt.Sprintf("= unpack({'a', 'b', 'c'}, %s, %s)", first, last))
		}
	}
	for _, order := range []string{"nil", "function(a, b) return a > b end", "function() return true end", "function() return false end", "function() end", "function() error('o') end", "5", "'x'", "{}", "setmetatable({}, {__call = function(_, a, b) return a > b end})", "function(a, b) return a.x < b.x end"} {
		put(fmt.Sprintf("local t = {3, 1, 2} table.sort(t, %s) return table.concat(t, ' ')", order))
	}
	for _, key := range []string{"nil", "0/0", "1/0", "-0", "1.5", "true", "'1'", "2^53", "-1", "2^31", "print", "{}"} {
		put(fmt.Sprintf("local t = {} t[%s] = 1 return t[%s]", key, key))
		put(fmt.Sprintf("local t = {} return tostring(t[%s])", key))
		put(fmt.Sprintf("local t = {[%s] = 1} return t[%s]", key, key))
		put(fmt.Sprintf("= rawget({1, a = 2}, %s)", key))
		put(fmt.Sprintf("local t = {} rawset(t, %s, 2) return rawget(t, %s)", key, key))
		put(fmt.Sprintf("= next({1, 2, a = 1}, %s)", key))
	}
}

func arguments(put func(string)) {
	functions := words(`assert error getmetatable ipairs load loadstring next pairs pcall rawequal rawget rawset require select setmetatable tonumber tostring type unpack xpcall
		string.byte string.char string.find string.format string.gmatch string.gsub string.len string.lower string.match string.rep string.reverse string.sub string.upper
		table.concat table.getn table.insert table.maxn table.remove table.sort math.abs math.max math.min math.fmod math.mod math.pow math.floor math.modf math.ldexp math.frexp os.time os.date os.difftime os.getenv`)
	given := []string{"", "nil", "true", "1", "'a'", "{}", "print", "nil, nil", "1, nil", "'a', 'b'", "'a', {}", "{}, nil", "{}, 'a'", "{}, {}", "print, print", "1, 'a'", "'a', 1", "{}, 1, 2", "'a', 1, {}", "nil, 1", "1, 2, 3, 4", "'a', 'a', 'a', 'a'"}
	for _, function := range functions {
		for _, arguments := range given {
			switch {
			// What says the time or an address, and what waits for input.
			case strings.HasPrefix(function, "os.") && (arguments == "" || strings.HasPrefix(arguments, "nil") || strings.HasPrefix(arguments, "'") || strings.HasPrefix(arguments, "{}")):
			case function == "tostring" && strings.HasPrefix(arguments, "{}"), function == "tostring" && strings.HasPrefix(arguments, "print"):
			case function == "string.format" && strings.HasPrefix(arguments, "print"):
			default:
				put(fmt.Sprintf("= %s(%s)", function, arguments))
			}
		}
	}
	for _, value := range []string{"nil", "true", "1", "'a'", "{}", "print"} {
		for _, use := range []string{"x.y", "x.y.z", "x[1]", "x[nil]", "x()", "x.y()", "x:y()", "#x", "-x", "x + 1", "1 + x", "x .. 'a'", "'a' .. x", "x < 1", "1 < x", "x < x", "x <= 'a'", "x == x", "x^2", "x % 2"} {
			put(fmt.Sprintf("local x = %s return %s", value, use))
			put(fmt.Sprintf("local t = {x = %s}\nreturn %s", value, strings.ReplaceAll(use, "x", "t.x")))
		}
		for _, use := range []string{"x.y = 1", "x[1] = 1", "x[nil] = 1", "x.y.z = 1", "for i in x do end", "for i = x, 1 do end", "for i = 1, x do end", "for i = 1, 1, x do end", "for k in pairs(x) do end", "for k in ipairs(x) do end", "error(x)", "error(x, 2)", "error(x, 0)", "assert(x)", "assert(nil, x)", "assert(false, x)"} {
			put(fmt.Sprintf("local x = %s\n%s return 'done'", value, use))
			put(fmt.Sprintf("local x = %s\nlocal function f()\n%s\nend\nreturn select(2, pcall(f))", value, use))
		}
	}
}

// Scripts without one of their words, with one twice, and with others in its place: where they break, and in which words.
func fragments(put func(string)) {
	scripts := []string{
		"local a , b = 1 , 'x' return a",
		"a . b [ 1 ] = { 1 , x = 2 ; [ 3 ] = 4 } return a",
		"if a == 1 then return 1 elseif b then return 2 else return 3 end",
		"for i = 1 , 3 do if i == 2 then break end end return 'ok'",
		"for k , v in pairs ( { 1 } ) do local x = k end return 'ok'",
		"while false do a = 1 end repeat local b = 1 until b return 'ok'",
		"local function f ( x , ... ) return x , ... end return f ( 1 )",
		"function a . b : c ( ) return self end return 'ok'",
		"goto done do return 1 end :: done :: return 2",
		"f ( function ( ) end , not - # x ) : g { } 'y' return 1",
		"return ( 1 + 2 ) * 3 .. 'x' and { } or nil",
	}
	for _, script := range scripts {
		parts := words(script)
		for at := range parts {
			for _, other := range []string{"", "end", "=", "x", ","} {
				changed := append([]string{}, parts...)
				changed[at] = other
				put(strings.Join(strings.Fields(strings.Join(changed, " ")), " "))
			}
			put(strings.Join(parts[:at], "\n"))
			put(strings.Join(append(append(append([]string{}, parts[:at]...), parts[at]), parts[at:]...), " "))
		}
	}
}
