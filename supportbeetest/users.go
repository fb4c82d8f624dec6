package supportbeetest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// roleNames are the roles by their numbers in requests.
var roleNames = map[int64]string{20: "admin", 10: "agent", 9: "collaborator"}

func listUsers(s *Desk, c *call) response {
	roles := []string{"admin", "agent", "collaborator"}
	if given := c.query.Get("with_roles"); given != "" {
		roles = strings.Split(given, ",")
	}
	kind := c.query.Get("type")
	list := []*user{}
	for _, u := range c.desk.sortedUsers() {
		fits := slices.Contains(roles, u.Role)
		if kind == "customer_group" {
			fits = true
		}
		if !fits || kind != "" && u.Type != kind || u.Invited && !c.flag("with_invited") {
			continue
		}
		list = append(list, u)
	}
	return ok(object{"users": c.users(list)})
}

// userBody is a user of a request.
type userBody struct {
	Email        *string      `json:"email"`
	Name         *string      `json:"name"`
	FirstName    *string      `json:"first_name"`
	LastName     *string      `json:"last_name"`
	Role         *json.Number `json:"role"`
	TeamIDs      *[]int64     `json:"team_ids"`
	Type         string       `json:"type"`
	SharedGroup  *bool        `json:"can_members_access_group_tickets"`
	EmailDomains *[]string    `json:"email_domains"`
}

// userProblems returns a sentence for each reason to reject in for self, which is nil for a new user.
func (c *call) userProblems(in userBody, self *user) (problems []string) {
	if in.Email != nil {
		if !isEmail(*in.Email) {
			problems = append(problems, "Email is invalid")
		}
		if known := c.desk.byEmail[strings.ToLower(*in.Email)]; known != nil && known != self {
			problems = append(problems, "Email has already been taken")
		}
	}
	if in.Role != nil {
		n, err := in.Role.Int64()
		if _, known := roleNames[n]; err != nil || !known {
			problems = append(problems, "Role is not included in the list")
		}
	}
	if in.TeamIDs != nil {
		for _, id := range *in.TeamIDs {
			if c.desk.team(id) == nil {
				problems = append(problems, "Team "+itoa(id)+" is unknown")
			}
		}
	}
	return problems
}

func (c *call) applyUser(u *user, in userBody) {
	if in.Email != nil {
		delete(c.desk.byEmail, strings.ToLower(u.Email))
		u.Email = *in.Email
		c.desk.addUser(u)
	}
	if in.Name != nil {
		u.Name = *in.Name
	}
	first, last, _ := strings.Cut(u.Name, " ")
	if in.FirstName != nil {
		first = *in.FirstName
	}
	if in.LastName != nil {
		last = *in.LastName
	}
	u.Name = strings.TrimSpace(first + " " + last)
	if in.Role != nil {
		n, _ := in.Role.Int64()
		u.Role = roleNames[n]
	}
	if in.SharedGroup != nil {
		u.SharedGroup = *in.SharedGroup
	}
	if in.EmailDomains != nil {
		u.EmailDomains = *in.EmailDomains
	}
	if in.TeamIDs == nil {
		return
	}
	for _, t := range c.desk.Teams {
		t.Members = slices.DeleteFunc(t.Members, func(id int64) bool { return id == u.ID })
		if slices.Contains(*in.TeamIDs, t.ID) {
			t.Members = append(t.Members, u.ID)
		}
	}
}

func createUser(s *Desk, c *call) response {
	var in userBody
	if bad, fits := c.decode("user", &in); !fits {
		return bad
	}
	u := &user{Type: "user", Role: "agent", Invited: true}
	if in.Type == "customer_group" {
		u, in.Email = &user{Type: "customer_group", Role: "customer"}, nil
	}
	var customer *user // who becomes an agent
	if in.Email != nil {
		if known := c.desk.byEmail[strings.ToLower(*in.Email)]; known != nil && !known.agent() {
			customer, u.ID, u.Name = known, known.ID, known.Name
		}
	}
	problems := c.userProblems(in, customer)
	if in.Type == "customer_group" && (in.Name == nil || strings.TrimSpace(*in.Name) == "") {
		problems = append(problems, "Name can't be blank")
	}
	if in.Type != "customer_group" && in.Email == nil {
		problems = append(problems, "Email can't be blank")
	}
	if len(problems) > 0 {
		return invalidInput(problems...)
	}
	if u.ID == 0 {
		u.ID = c.desk.id()
	}
	c.desk.addUser(u)
	c.applyUser(u, in)
	if customer != nil {
		c.desk.recount() // since reports are about the replies of agents
	}
	return created(object{"user": c.encoder.user(u)})
}

// user404 returns the user of the path.
func (c *call) user404() (*user, response) {
	u := c.desk.Users[c.number("id")]
	if u == nil {
		return nil, notFound("User", c.PathValue("id"))
	}
	return u, response{}
}

func getUser(s *Desk, c *call) response {
	u, missing := c.user404()
	if u == nil {
		return missing
	}
	most := 5
	if given := c.query.Get("max_tickets"); given == "false" {
		most = len(c.desk.Tickets)
	} else if n, err := strconv.Atoi(given); err == nil {
		most = n
	}
	var tickets []*ticket
	for _, id := range append([]int64{u.ID}, u.Members...) {
		if of := c.desk.requested[id]; of != nil {
			tickets = append(tickets, of.tickets...)
		}
	}
	slices.SortFunc(tickets, func(a, b *ticket) int { return c.desk.byActivity.compare(b, a) })
	tickets = tickets[:min(len(tickets), max(most, 0))]
	return ok(c.userWithTickets(u, tickets))
}

func updateUser(s *Desk, c *call) response {
	u, missing := c.user404()
	if u == nil {
		return missing
	}
	if u == c.user {
		return fail(http.StatusForbidden, "Access denied")
	}
	var in userBody
	if bad, fits := c.decode("user", &in); !fits {
		return bad
	}
	if problems := c.userProblems(in, u); len(problems) > 0 {
		return invalidInput(problems...)
	}
	before := u.agent()
	c.applyUser(u, in)
	if u.agent() != before {
		c.desk.recount() // since reports are about the replies of agents
	}
	return ok(object{"user": c.encoder.user(u)})
}

// group404 returns the customer group of the path.
func (c *call) group404() (*user, response) {
	u, missing := c.user404()
	if u != nil && u.Type != "customer_group" {
		return nil, notFound("CustomerGroup", c.PathValue("id"))
	}
	return u, missing
}

func listMembers(s *Desk, c *call) response {
	group, missing := c.group404()
	if group == nil {
		return missing
	}
	list := []*user{}
	for _, id := range group.Members {
		list = append(list, c.desk.Users[id])
	}
	return ok(object{"users": c.users(list)})
}

func addMember(s *Desk, c *call) response {
	group, missing := c.group404()
	if group == nil {
		return missing
	}
	var in struct {
		ID int64 `json:"id"`
	}
	if bad, fits := c.decode("member", &in); !fits {
		return bad
	}
	member := c.desk.Users[in.ID]
	if member == nil {
		return notFound("User", in.ID)
	}
	if !slices.Contains(group.Members, member.ID) {
		group.Members = append(group.Members, member.ID)
	}
	return created(object{"user": c.encoder.user(member)})
}
