package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
)

// program is a child process.
type program struct {
	name    string
	log     string
	command *exec.Cmd
	// killed is set before it is killed on purpose: its death is no news then.
	killed atomic.Bool
	gone   chan struct{}
}

// death says that a program ended.
type death struct {
	name     string
	expected bool
	state    string
	lastLog  string
}

func (d death) Error() string {
	return fmt.Sprintf("%s ended by itself (%s); the end of its log:\n%s", d.name, d.state, d.lastLog)
}

// wait runs beside the program and reports its end.
func (p *program) wait(deaths chan<- death) {
	_ = p.command.Wait() // the state says it better
	close(p.gone)
	d := death{name: p.name, expected: p.killed.Load(), state: p.command.ProcessState.String()}
	if !d.expected {
		d.lastLog = lastLines(p.log, 15)
	}
	deaths <- d
}

// signal kills the program and does not wait.
func (p *program) signal() {
	p.killed.Store(true)
	_ = p.command.Process.Signal(syscall.SIGKILL) // gone already is fine
}

// kill kills the program and waits until it is gone.
func (p *program) kill() {
	p.signal()
	<-p.gone
}

func lastLines(path string, count int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
