package main

import (
	"reflect"
	"slices"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
)

// chance notices which functions are called that are no function of files and settings.
type chance struct{ called map[string]bool }

func newChance() *chance { return &chance{called: map[string]bool{}} }

// names returns the functions that were called, sorted.
func (c *chance) names() []string {
	var names []string
	for name := range c.called {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// drawing draw random numbers, or read the clock, whatever they are given.
var drawing = []string{
	"ago", "bcrypt", "encryptAES", "genCA", "genCAWithKey", "genPrivateKey", "genSelfSignedCert", "genSelfSignedCertWithKey",
	"genSignedCert", "genSignedCertWithKey", "htpasswd", "now", "randAlpha", "randAlphaNum", "randAscii", "randBytes", "randInt",
	"randNumeric", "shuffle", "uuidv4",
}

// dating read the clock unless the argument at this place is a time.
var dating = map[string]int{"date": 1, "dateInZone": 1, "date_in_zone": 1, "htmlDate": 0, "htmlDateInZone": 0}

// measuring read the clock if their argument is a time.
const measuring = "durationRound"

// functions returns the functions under their names, with a note taken of each call. What they return is as before.
func (c *chance) functions() template.FuncMap {
	originals := sprig.TxtFuncMap()
	noted := template.FuncMap{}
	for _, name := range drawing {
		noted[name] = c.note(name, originals[name], func([]reflect.Value) bool { return true })
	}
	for name, place := range dating {
		noted[name] = c.note(name, originals[name], func(arguments []reflect.Value) bool {
			return !isTime(arguments[place])
		})
	}
	noted[measuring] = c.note(measuring, originals[measuring], func(arguments []reflect.Value) bool {
		_, is := arguments[0].Interface().(time.Time)
		return is
	})
	return noted
}

func (c *chance) note(name string, original any, counts func([]reflect.Value) bool) any {
	function := reflect.ValueOf(original)
	return reflect.MakeFunc(function.Type(), func(arguments []reflect.Value) []reflect.Value {
		if counts(arguments) {
			c.called[name] = true
		}
		if function.Type().IsVariadic() {
			return function.CallSlice(arguments)
		}
		return function.Call(arguments)
	}).Interface()
}

func isTime(value reflect.Value) bool {
	if !value.IsValid() || !value.CanInterface() {
		return false
	}
	switch value.Interface().(type) {
	case time.Time, *time.Time, int64, int, int32:
		return true
	default:
		return false
	}
}
