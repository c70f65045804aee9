package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// readyTimeout bounds every wait for the control plane. It is ready in some 5 s on two idle cores; a machine that
// builds at the same time has needed 40.
const readyTimeout = 120 * time.Second

// up starts the whole control plane and keeps it until it is told to stop. Its contract:
//
//   - `--data DIR` is a folder that does not exist yet or is empty; everything is written below it and nothing elsewhere,
//     and it is removed at the end.
//   - All programs are children of this process, and the kernel kills them when it dies, however it dies.
//   - Servers listen on 127.0.0.1 only, on free ports that stay reserved while this process lives.
//   - When a node is Ready and pods can be scheduled, one line of JSON (type ready) is printed to standard output.
//   - It ends when standard input ends, on SIGTERM or SIGINT, or with exit code 1 when a program dies by itself.
//   - Lines on standard input are commands: `stop NAME` kills a program, `start NAME` starts it again and waits until it
//     answers. Each is answered by one line of JSON: {"done":"stop kube-apiserver"} or {"error":"…"}.
func up(arguments []string) int {
	flags := flag.NewFlagSet("up", flag.ExitOnError)
	data := flags.String("data", "", "folder for everything; created, and removed at the end")
	kwok := flags.String("kwok", "", "the kwok program; by default the file `kwok` beside this one")
	_ = flags.Parse(arguments)

	// The kernel sends a child its parent-death signal when the *thread* that started it ends: start all from one that stays.
	runtime.LockOSThread()

	// Caught from here on, so that whatever happens the data is removed.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// The line's reader may be gone: writing to it must not kill this process before it has cleaned up.
	signal.Ignore(syscall.SIGPIPE)

	commands := make(chan string)
	go readCommands(os.Stdin, commands)

	plane, err := prepare(*data, *kwok)
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		return 1
	}
	defer plane.remove()

	started := time.Now()
	if err := plane.start(signals, commands); err != nil {
		if errors.Is(err, errStopped) {
			return 0
		}
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		return 1
	}
	answer(ready{
		Kubeconfig: plane.kubeconfig("admin"),
		Kubectl:    filepath.Join(plane.data, "bin", "kubectl"),
		Server:     plane.api.server,
		Logs:       plane.logs(),
		Pid:        os.Getpid(),
		Seconds:    time.Since(started).Seconds(),
	})

	for {
		select {
		case <-signals:
			return 0
		case dead := <-plane.deaths:
			if dead.expected {
				continue
			}
			fmt.Fprintln(os.Stderr, "controlplane:", dead)
			return 1
		case command, open := <-commands:
			if !open {
				return 0
			}
			if err := plane.obey(command); err != nil {
				answer(map[string]string{"error": err.Error()})
			} else {
				answer(map[string]string{"done": command})
			}
		}
	}
}

// ready is what is printed once the control plane can be used.
type ready struct {
	Kubeconfig string  `json:"kubeconfig"`
	Kubectl    string  `json:"kubectl"`
	Server     string  `json:"server"`
	Logs       string  `json:"logs"`
	Pid        int     `json:"pid"`
	Seconds    float64 `json:"seconds"`
}

func answer(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		panic(err) // strings and numbers only
	}
	fmt.Println(string(line))
}

// readCommands hands on one line at a time and closes the channel when the input ends.
func readCommands(input io.Reader, commands chan<- string) {
	defer close(commands)
	lines := bufio.NewScanner(input)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			commands <- line
		}
	}
}

// errStopped says that the control plane was told to stop while it was starting.
var errStopped = errors.New("stopped while starting")

// plane is a control plane: its folder, its certificates and its running programs.
type plane struct {
	data     string
	self     string
	kwok     string
	api      endpoint
	etcd     endpoint
	etcdPeer endpoint
	client   *client
	running  map[string]*program
	deaths   chan death
}

// prepare makes the folder, reserves the ports and writes certificates and configuration. Nothing runs yet.
func prepare(data, kwok string) (*plane, error) {
	if data == "" {
		return nil, errors.New("up needs --data DIR")
	}
	data, err := filepath.Abs(data)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if kwok == "" {
		kwok = filepath.Join(filepath.Dir(self), "kwok")
	}
	if _, err := os.Stat(kwok); err != nil {
		return nil, fmt.Errorf("kwok is built together with this program: %w", err)
	}
	// Only an empty folder is taken, because it is removed with all that is in it.
	if entries, err := os.ReadDir(data); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty", data)
	}
	p := &plane{data: data, self: self, kwok: kwok, running: map[string]*program{}, deaths: make(chan death, 8)}
	if err := p.configure(); err != nil {
		p.remove()
		return nil, err
	}
	return p, nil
}

func (p *plane) configure() error {
	for _, folder := range []string{"bin", "etcd", "home", "kubeconfig", "logs", "pki"} {
		if err := os.MkdirAll(filepath.Join(p.data, folder), 0o700); err != nil {
			return err
		}
	}
	if err := os.Symlink(p.self, filepath.Join(p.data, "bin", "kubectl")); err != nil {
		return err
	}
	for _, place := range []*endpoint{&p.api, &p.etcd, &p.etcdPeer} {
		reserved, err := reserve()
		if err != nil {
			return fmt.Errorf("no free loopback port: %w", err)
		}
		*place = reserved
	}
	if err := p.writeCredentials(); err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	return p.writeStages()
}

// start starts everything in order and waits until a pod could run.
func (p *plane) start(signals <-chan os.Signal, commands <-chan string) error {
	steps := []struct {
		what  string
		start []string
		ready func() error
	}{
		// The API server waits for etcd by itself.
		{"the API server", []string{"etcd", "kube-apiserver"}, p.client.serverReady},
		{"the nodes", []string{"kube-controller-manager", "kube-scheduler", "kwok"}, p.client.nodesReady},
		{"the default service account", nil, p.client.namespaceReady},
	}
	for _, step := range steps {
		for _, name := range step.start {
			if err := p.launch(name); err != nil {
				return err
			}
		}
		if err := p.await(step.what, step.ready, signals, commands); err != nil {
			return err
		}
	}
	return nil
}

// await asks until the answer is yes, a program dies, time is up, or this process is told to stop.
func (p *plane) await(what string, ready func() error, signals <-chan os.Signal, commands <-chan string) error {
	deadline := time.After(readyTimeout)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case dead := <-p.deaths:
			if !dead.expected {
				return dead
			}
		case <-deadline:
			return fmt.Errorf("%s is not ready after %s: %w", what, readyTimeout, err)
		case <-signals:
			return errStopped
		case command, open := <-commands:
			if !open {
				return errStopped
			}
			return fmt.Errorf("%q before the control plane is ready", command)
		}
	}
}

// obey carries out one command line.
func (p *plane) obey(command string) error {
	verb, name, _ := strings.Cut(command, " ")
	if _, err := p.arguments(name); err != nil {
		return err
	}
	running := p.running[name]
	switch verb {
	case "stop":
		if running == nil {
			return fmt.Errorf("%s does not run", name)
		}
		running.kill()
		delete(p.running, name)
		return nil
	case "start":
		if running != nil {
			return fmt.Errorf("%s runs already", name)
		}
		if err := p.launch(name); err != nil {
			return err
		}
		return p.await(name, p.client.serverReady, nil, nil)
	default:
		return fmt.Errorf("unknown command %q", command)
	}
}

// launch starts one program; its output goes to a file of its name in logs/.
func (p *plane) launch(name string) error {
	arguments, err := p.arguments(name)
	if err != nil {
		return err
	}
	path := p.self
	if name == "kwok" {
		path = p.kwok
	} else {
		arguments = append([]string{name}, arguments...)
	}
	log, err := os.OpenFile(filepath.Join(p.logs(), name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(path, arguments...)
	command.Dir = p.data
	// Nothing of the caller's environment: a proxy, a HOME or a KUBECONFIG of theirs must not reach the programs.
	command.Env = []string{"HOME=" + filepath.Join(p.data, "home"), "PATH=" + os.Getenv("PATH")}
	command.Stdout, command.Stderr = log, log
	// A process group of its own, so that Ctrl-C in a terminal reaches this process alone and it stops them.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	started := &program{name: name, log: log.Name(), command: command, gone: make(chan struct{})}
	p.running[name] = started
	go started.wait(p.deaths)
	return nil
}

// remove kills everything at once, for the data is thrown away, and removes the folder.
func (p *plane) remove() {
	for _, running := range p.running {
		running.signal()
	}
	for _, running := range p.running {
		<-running.gone
	}
	if err := os.RemoveAll(p.data); err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
	}
}

func (p *plane) logs() string { return filepath.Join(p.data, "logs") }

func (p *plane) kubeconfig(user string) string {
	return filepath.Join(p.data, "kubeconfig", user+".yaml")
}
