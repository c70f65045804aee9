package guest

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// Context is what the settings do not say.
type Context struct {
	Release     string   `json:"release"`
	Namespace   string   `json:"namespace"`
	KubeVersion string   `json:"kubeVersion"`
	APIVersions []string `json:"apiVersions"`
	Seed        string   `json:"seed"`
	Now         string   `json:"now"`
	// Environment is what `$NAME` and `${NAME}` stand for where Argo CD puts its variables in.
	Environment map[string]string `json:"environment"`

	key [seedBytes]byte
	now time.Time
}

// seedBytes is how much of a seed counts: the key of the generator.
const seedBytes = 32

func parseContext(text string) (Context, *Problem) {
	var context Context
	if text == "" {
		return context, nil
	}
	if err := json.Unmarshal([]byte(text), &context); err != nil {
		return context, contextProblem(err.Error())
	}
	seed, err := hex.DecodeString(context.Seed)
	if err != nil || (len(seed) != 0 && len(seed) != seedBytes) {
		return context, contextProblem(fmt.Sprintf("`seed` is not %d hexadecimal digits", 2*seedBytes))
	}
	copy(context.key[:], seed)
	if context.Now != "" {
		if context.now, err = time.Parse(time.RFC3339, context.Now); err != nil {
			return context, contextProblem("`now` is no time as RFC 3339 has it")
		}
	}
	return context, nil
}

func contextProblem(why string) *Problem {
	return &Problem{Code: "context", Message: "the context cannot be read: " + why}
}

// Substitute replaces `$NAME` and `${NAME}`, as Argo CD does: what is not known becomes nothing, and `$$` a dollar sign.
func (c Context) Substitute(text string) string {
	return os.Expand(text, func(name string) string {
		if name == "$" {
			return name
		}
		return c.Environment[name]
	})
}

// bearsChance says what is missing for functions that are no function of files and settings.
func (c Context) bearsChance(random []string) *Problem {
	if len(random) == 0 || (c.Seed != "" && c.Now != "") {
		return nil
	}
	return &Problem{
		Code:    "context",
		Message: "there is no `seed` or no `now` in the context, which this needs: " + strings.Join(random, ", "),
	}
}
