"""Teaches ALMA, as `.alma/config.yaml` has it, something of every kind."""

from alma import ALMA

alma = ALMA.from_config(".alma/config.yaml")
lesson = {"agent": "helena", "task_type": "form_testing"}
alma.add_domain_knowledge(agent="helena", domain="form_testing", fact="the login form has a captcha")
alma.add_user_preference(user_id="ann", category="style", preference="Short answers.")
for _ in range(4):
    alma.learn(task="test the login form", outcome="success", strategy_used="fill fields then submit", **lesson)
for _ in range(2):
    alma.learn(task="test the login form", outcome="failure", strategy_used="press the login button twice", error_message="sent it twice", **lesson)
